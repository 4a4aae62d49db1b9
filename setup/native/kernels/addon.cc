// Loading this makes our kernels known to the TensorFlow that is in the process.

#include <node_api.h>

#include "kernel.h"
#include "kernels.h"
#include "product.h"

NAPI_MODULE_INIT() {
  try {
    register_kernels();
  } catch (const KernelError& error) {
    napi_throw_error(env, nullptr, error.message.c_str());
  }
  napi_value format;
  napi_create_int32(env, 5, &format);
  napi_set_named_property(env, exports, "format", format); // the same as in src/engine/ownKernels.ts
  napi_value runs;
  napi_get_boolean(env, has_products(), &runs);
  napi_set_named_property(env, exports, "runs", runs); // on this processor
  return exports;
}
