// What JavaScript hands to a function of an addon: memory and numbers.

#ifndef RFDETR_ARGUMENTS_H
#define RFDETR_ARGUMENTS_H

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

static inline void* memoryOf(napi_env env, napi_value array, size_t* length) {
  void* data = NULL;
  napi_get_typedarray_info(env, array, NULL, length, &data, NULL, NULL);
  return data;
}

static inline int64_t numberOf(napi_env env, napi_value value) {
  int64_t number = 0;
  napi_get_value_int64(env, value, &number);
  return number;
}

#endif
