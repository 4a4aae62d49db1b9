#include "background.h"
#include <memory>
#include <thread>
#include <utility>
#include "../tensorflow/openSignals.h"

namespace {

struct Work {
  std::function<std::string()> run;
  std::string trouble;
  napi_deferred promised = nullptr;
  napi_threadsafe_function done = nullptr;
};

/** On the main thread again; without an environment the process is about to end. */
void settle(napi_env env, napi_value, void*, void* data) {
  std::unique_ptr<Work> work(static_cast<Work*>(data));
  if (env == nullptr) return;
  napi_value result;
  if (work->trouble.empty()) {
    napi_get_undefined(env, &result);
    napi_resolve_deferred(env, work->promised, result);
  } else {
    napi_value message;
    napi_create_string_utf8(env, work->trouble.data(), work->trouble.size(), &message);
    napi_create_error(env, nullptr, message, &result);
    napi_reject_deferred(env, work->promised, result);
  }
}

}  // namespace

napi_value in_background(napi_env env, bool keeps_running, std::function<std::string()> run) {
  std::unique_ptr<Work> work(new Work{std::move(run)});
  napi_value promise, name;
  napi_create_string_latin1(env, "rfdetr:distributed", NAPI_AUTO_LENGTH, &name);
  napi_create_promise(env, &work->promised, &promise);
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, settle, &work->done);
  if (status != napi_ok) {
    napi_throw_error(env, nullptr, "no thread");
    return nullptr;
  }
  if (!keeps_running) napi_unref_threadsafe_function(env, work->done);
  std::thread([taken = work.release()] {
    leave_signals_to_others();
    taken->trouble = taken->run();
    const napi_threadsafe_function done = taken->done;
    napi_call_threadsafe_function(done, taken, napi_tsfn_blocking);
    napi_release_threadsafe_function(done, napi_tsfn_release);
  }).detach();
  return promise;
}
