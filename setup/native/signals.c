// Answers a signal at once, while JavaScript cannot: a step of training keeps the main thread in native code for seconds.
// The handler only says that the signal was heard, and again where another one comes a second later or more; after the last of its
// answers it ends the process. It hands every signal on to Node, which tells JavaScript at the step's next pause.

#define _GNU_SOURCE
#include <node_api.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "arguments.h"
#include "tensorflow/openSignals.h"

#define MOST 512

static const int SIGNALS[] = {SIGINT, SIGTERM};
static struct sigaction before[2];
static char heard[2][MOST]; // the first answer, to each of the signals
static size_t heard_length[2];
static char again[MOST]; // the second one; none where it is empty
static size_t again_length;
static char farewell[MOST];
static size_t farewell_length;
static int exit_code;
static volatile sig_atomic_t armed = 0;
// any thread may be the one that hears a signal, and two may hear one each at the same moment
static atomic_int answered = 0;
static atomic_llong last = 0; // milliseconds

static void say(const char* text, size_t length) {
  ssize_t ignored = write(STDERR_FILENO, text, length);
  (void)ignored;
}

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void handle(int number, siginfo_t* info, void* context) {
  int which = number == SIGNALS[0] ? 0 : 1;
  if (armed) {
    long long now = now_ms();
    int before_this = answered;
    int later = now - last >= 1000;
    if (before_this && later && (before_this == 2 || !again_length)) {
      say(farewell, farewell_length);
      _exit(exit_code);
    }
    if (!before_this || later) {
      last = now; // before the answer can be seen: whoever sees it may stop this thread, and signal another one
      if (atomic_compare_exchange_strong(&answered, &before_this, before_this + 1)) {
        if (before_this) say(again, again_length);
        else say(heard[which], heard_length[which]);
        last = now_ms();
      }
    }
  }
  struct sigaction* old = &before[which];
  if (old->sa_flags & SA_SIGINFO) {
    if (old->sa_sigaction) old->sa_sigaction(number, info, context);
  } else if (old->sa_handler != SIG_IGN && old->sa_handler != SIG_DFL) {
    old->sa_handler(number);
  }
}

static size_t text_of(napi_env env, napi_value value, char* into) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, into, MOST, &length);
  return length;
}

// answerSignals(onInterrupt: string, onTerminate: string, again: string, farewell: string, exitCode: number): boolean
static napi_value Arm(napi_env env, napi_callback_info info) {
  size_t count = 5;
  napi_value given[5], result;
  int ok = 1;
  napi_get_cb_info(env, info, &count, given, NULL, NULL);
  armed = 0;
  for (int i = 0; i < 2; i++) heard_length[i] = text_of(env, given[i], heard[i]);
  again_length = text_of(env, given[2], again);
  farewell_length = text_of(env, given[3], farewell);
  napi_get_value_int32(env, given[4], &exit_code);
  answered = 0;
  for (int i = 0; i < 2 && ok; i++) {
    struct sigaction now, mine;
    if (sigaction(SIGNALS[i], NULL, &now) != 0) ok = 0;
    else if (!((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle)) {
      before[i] = now;
      memset(&mine, 0, sizeof mine);
      mine.sa_sigaction = handle;
      mine.sa_flags = SA_SIGINFO | SA_RESTART;
      sigfillset(&mine.sa_mask);
      ok = sigaction(SIGNALS[i], &mine, NULL) == 0;
    }
  }
  armed = ok;
  napi_get_boolean(env, ok, &result);
  return result;
}

// answers(): number, how often a signal was answered here since it was armed
static napi_value Answered(napi_env env, napi_callback_info info) {
  napi_value result;
  napi_create_int32(env, armed ? atomic_load(&answered) : 0, &result);
  return result;
}

static void* take_signals(void* unused) {
  for (;;) pause();
  return unused;
}

// A thread of its own takes the process's signals from now on: this one computes, and so do those that it starts later.
static void hand_signals_over(void) {
  static int done = 0;
  pthread_t thread;
  if (done || pthread_create(&thread, NULL, take_signals, NULL) != 0) return;
  done = 1;
  pthread_detach(thread);
  leave_signals_to_others();
}

void add_signals(napi_env env, napi_value exports) {
  hand_signals_over();
  addFunction(env, exports, "answerSignals", Arm);
  addFunction(env, exports, "answers", Answered);
}
