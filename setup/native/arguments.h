// What an addon gives JavaScript, functions, and what these are handed: memory and numbers.

#ifndef RFDETR_ARGUMENTS_H
#define RFDETR_ARGUMENTS_H

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

// Memory of this kind of numbers alone; of another kind none.
static inline void* memoryOf(napi_env env, napi_value array, napi_typedarray_type wanted, size_t* length) {
  napi_typedarray_type type = napi_int8_array;
  void* data = NULL;
  *length = 0;
  if (napi_get_typedarray_info(env, array, &type, length, &data, NULL, NULL) != napi_ok || type != wanted) *length = 0;
  return data;
}

static inline int64_t numberOf(napi_env env, napi_value value) {
  int64_t number = 0;
  napi_get_value_int64(env, value, &number);
  return number;
}

static inline void addFunction(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function) == napi_ok)
    napi_set_named_property(env, exports, name, function);
}

#endif
