// Work on a thread of its own, as a promise.

#pragma once

#include <node_api.h>
#include <functional>
#include <string>

/**
 * A promise of `work`, which says what went wrong, or nothing. Its thread is none of libuv's, since Node waits for those before it ends,
 * and this work may never be over. `keeps_running`: Node does not end by itself before it is.
 */
napi_value in_background(napi_env env, bool keeps_running, std::function<std::string()> work);
