// TensorFlow's distributed runtime in the context that tfjs-node's backend makes: collective operations between processes, and the
// service that notices when one of them is gone. Loaded before tfjs-node, for all to see (RTLD_GLOBAL), in trainings of several workers only.
//
// The binding calls TFE_NewContext of libtensorflow; the dynamic linker gives it ours, which calls that one with a configuration and joins
// the cluster before there is a tensor. Linked with nothing of TensorFlow: what is called is found in the library that the binding has loaded.
//
//   prepare(config, server, local, address, port)   serialised ConfigProto and ServerDef; the prefix of this worker's device names; the
//                                                   only address, as text, and the port to listen at
//   state(): { joined, error, listening, ids }      whether there is a context, what went wrong, whether `address` is the only one, and how
//                                                   many ids of requests were made here
//   report(code, message)                           tell the other workers that this one ends, and why
//   openSession(graph, config, target, node): number    a serialised GraphDef that several workers run together, a ConfigProto, the
//                                                   address of the worker that leads it, and the node that is asked for
//   runSession(number): Promise<void>               run it once
//   watch(size, group, key): Promise<never>         a broadcast that nobody sends: it fails as soon as the runtime ends all that workers
//                                                   do together, because one of them is gone

#include <node_api.h>
#include <signal.h>
#include <cstring>
#include <string>
#include "background.h"
#include "library.h"
#include "listen.h"
#include "requestIds.h"
#include "together.h"

namespace {

std::string config, server, local_prefix, address, error;
int port = 0;
bool restricted = false;
TFE_Context* context = nullptr;

/** Joins the cluster. TensorFlow would take SIGTERM for itself, which is the program's own: its handler is put back. */
void join(TFE_Context* made, TF_Status* status) {
  struct sigaction before;
  sigaction(SIGTERM, nullptr, &before);
  restricted = listen_only_at(address.c_str(), port);
  if (!restricted) {
    error = "TensorFlow cannot be kept from listening at every address of this machine";
    return;
  }
  library.TFE_EnableCollectiveOps(made, server.data(), server.size(), status);
  sigaction(SIGTERM, &before, nullptr);
  if (library.TF_GetCode(status) != TF_OK) error = library.TF_Message(status);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) TFE_Context* TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status) {
  error = find_library(__builtin_return_address(0));
  if (!error.empty()) return nullptr;
  if (config.empty()) return library.TFE_NewContext(options, status);
  library.TFE_ContextOptionsSetConfig(const_cast<TFE_ContextOptions*>(options), config.data(), config.size(), status);
  TFE_Context* made = library.TF_GetCode(status) == TF_OK ? library.TFE_NewContext(options, status) : nullptr;
  if (library.TF_GetCode(status) != TF_OK) error = library.TF_Message(status);
  else join(made, status);
  context = made;
  return made;
}

/** The context lists devices of all workers, and the backend takes the last one of its kind for its own: others' are of no kind. */
__attribute__((visibility("default"))) const char* TF_DeviceListType(const TF_DeviceList* list, int index, TF_Status* status) {
  const char* type = library.TF_DeviceListType(list, index, status);
  if (local_prefix.empty() || type == nullptr) return type;
  const char* name = library.TF_DeviceListName(list, index, status);
  const bool is_own = name != nullptr && strncmp(name, local_prefix.data(), local_prefix.size()) == 0;
  return is_own ? type : "REMOTE";
}

}  // extern "C"

namespace {

std::string text_of(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

std::string bytes_of(napi_env env, napi_value value) {
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, nullptr, &length, &data, nullptr, nullptr) != napi_ok) return {};
  return std::string(static_cast<char*>(data), length);
}

template <size_t N>
void arguments_of(napi_env env, napi_callback_info info, napi_value (&given)[N]) {
  size_t count = N;
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
}

napi_value prepare(napi_env env, napi_callback_info info) {
  napi_value given[5];
  arguments_of(env, info, given);
  config = bytes_of(env, given[0]);
  server = bytes_of(env, given[1]);
  local_prefix = text_of(env, given[2]);
  address = text_of(env, given[3]);
  napi_get_value_int32(env, given[4], &port);
  return nullptr;
}

napi_value state(napi_env env, napi_callback_info) {
  napi_value result, joined, message, listening, ids;
  napi_create_object(env, &result);
  napi_get_boolean(env, context != nullptr && error.empty(), &joined);
  napi_set_named_property(env, result, "joined", joined);
  napi_create_string_utf8(env, error.data(), error.size(), &message);
  napi_set_named_property(env, result, "error", message);
  napi_get_boolean(env, listened_only_there(), &listening);
  napi_set_named_property(env, result, "listening", listening);
  napi_create_double(env, static_cast<double>(request_ids_made()), &ids);
  napi_set_named_property(env, result, "ids", ids);
  return result;
}

napi_value report(napi_env env, napi_callback_info info) {
  napi_value given[2];
  arguments_of(env, info, given);
  int32_t code = 0;
  napi_get_value_int32(env, given[0], &code);
  if (context == nullptr || !error.empty()) return nullptr;
  TF_Status* status = library.TF_NewStatus();
  library.TFE_ReportErrorToCluster(context, code, text_of(env, given[1]).c_str(), status);
  library.TF_DeleteStatus(status);
  return nullptr;
}

int32_t number_of(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}

napi_value open(napi_env env, napi_callback_info info) {
  napi_value given[4], result;
  arguments_of(env, info, given);
  const int number = open_session(bytes_of(env, given[0]), bytes_of(env, given[1]), text_of(env, given[2]), text_of(env, given[3]));
  napi_create_int32(env, number, &result);
  return result;
}

napi_value run(napi_env env, napi_callback_info info) {
  napi_value given[1];
  arguments_of(env, info, given);
  const int number = number_of(env, given[0]);
  return in_background(env, true, [number] { return run_session(number); });
}

napi_value watch(napi_env env, napi_callback_info info) {
  napi_value given[3];
  arguments_of(env, info, given);
  const int32_t size = number_of(env, given[0]), group = number_of(env, given[1]), key = number_of(env, given[2]);
  return in_background(env, false, [size, group, key] { return receive_broadcast(context, size, group, key); });
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {{"prepare", prepare},  {"state", state},    {"report", report},
                   {"openSession", open}, {"runSession", run}, {"watch", watch}};
  for (const auto& one : functions) {
    napi_value function;
    if (napi_create_function(env, one.name, NAPI_AUTO_LENGTH, one.call, nullptr, &function) != napi_ok) break;
    napi_set_named_property(env, exports, one.name, function);
  }
  return exports;
}
