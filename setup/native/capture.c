// Catches what native code writes to standard error while it is loaded, so that JavaScript can leave out the known noise.
// libtensorflow greets every process with two lines that no setting of its own turns off. And sets how its memory is returned.

#define _GNU_SOURCE
#include <node_api.h>
#ifdef __linux__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "arguments.h"

static int saved = -1;
static int caught = -1;

// begin(): boolean
static napi_value Begin(napi_env env, napi_callback_info info) {
  napi_value result;
  int ok = 0;
  if (saved < 0) {
    fflush(stderr);
    saved = dup(STDERR_FILENO);
    caught = memfd_create("stderr", MFD_CLOEXEC);
    ok = saved >= 0 && caught >= 0 && dup2(caught, STDERR_FILENO) >= 0;
  }
  napi_get_boolean(env, ok, &result);
  return result;
}

// end(): string, what was written in between
static napi_value End(napi_env env, napi_callback_info info) {
  napi_value result;
  char* text = NULL;
  ssize_t length = 0;
  struct stat status;
  fflush(stderr);
  if (saved >= 0) dup2(saved, STDERR_FILENO);
  if (caught >= 0 && fstat(caught, &status) == 0 && (text = malloc(status.st_size + 1)) != NULL) {
    length = pread(caught, text, status.st_size, 0);
  }
  if (saved >= 0) close(saved);
  if (caught >= 0) close(caught);
  saved = caught = -1;
  napi_create_string_utf8(env, text ? text : "", length > 0 ? length : 0, &result);
  free(text);
  return result;
}

// Tensors are freed to the system, not kept for later: by default the C library raises the size from which it does that to that of the
// largest tensors, and what it keeps is in pieces that fit no other. Saves a tenth of a step's memory, at no time that can be measured.
static void return_memory(void) {
#ifdef M_MMAP_THRESHOLD
  if (getenv("MALLOC_MMAP_THRESHOLD_") == NULL) mallopt(M_MMAP_THRESHOLD, 400 * 1000);
#endif
}

void add_signals(napi_env env, napi_value exports);

NAPI_MODULE_INIT() {
  return_memory();
  addFunction(env, exports, "begin", Begin);
  addFunction(env, exports, "end", End);
  add_signals(env, exports);
  return exports;
}
