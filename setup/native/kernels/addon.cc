// Loading this makes our kernels known to the TensorFlow that is in the process.

#include <node_api.h>

#include "kernel.h"
#include "kernels.h"

NAPI_MODULE_INIT() {
  try {
    register_kernels();
  } catch (const KernelError& error) {
    napi_throw_error(env, nullptr, error.message.c_str());
  }
  napi_value yes;
  napi_get_boolean(env, true, &yes);
  napi_set_named_property(env, exports, "bf16", yes); // operations of earlier set-ups know floats alone
  return exports;
}
