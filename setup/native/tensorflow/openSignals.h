// Which signals a thread that computes leaves to other threads.
//
// oneDNN's products for AVX-512 keep what they pack in memory of their own, and point the stack pointer at it while they compute
// (sgemm_nocopy_driver). A signal that the thread takes then is written below that place, over whatever lies there, and damages the
// heap. It takes thousands of bytes, as it holds all of the processor's registers.

#pragma once

#include <signal.h>
#include <stddef.h>

// Those that this program, Node or a library may have a handler for; a signal without one is not written anywhere.
static inline void leave_signals_to_others(void) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCHLD, SIGCONT, SIGUSR1, SIGUSR2, SIGALRM, SIGIO, SIGURG};
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaddset(&set, signals[i]);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}
