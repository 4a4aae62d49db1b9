// TensorFlow's distributed runtime in the context that tfjs-node's backend makes: collective operations between processes, and the
// service that notices when one of them is gone. Loaded before tfjs-node, for all to see (RTLD_GLOBAL), in trainings of several workers only.
//
// The binding calls TFE_NewContext of libtensorflow; the dynamic linker gives it ours, which calls that one with a configuration and joins
// the cluster before there is a tensor. Linked with nothing of TensorFlow: what is called is found in the library that the binding has loaded.
//
//   prepare(config, server, local, address, port)   serialised ConfigProto and ServerDef; the prefix of this worker's device names; the
//                                                   only address, as text, and the port to listen at
//   state(): { joined, error, listening }           whether there is a context, what went wrong, and whether `address` is the only one
//   report(code, message)                           tell the other workers that this one ends, and why

#include <dlfcn.h>
#include <node_api.h>
#include <signal.h>
#include <cstring>
#include <string>
#include <vector>
#include "listen.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/c_api_experimental.h"
#include "tensorflow/c/eager/c_api.h"
#include "tensorflow/c/eager/c_api_experimental.h"

namespace {

std::string config, server, local_prefix, address, error;
int port = 0;
bool restricted = false;
TFE_Context* context = nullptr;

/** Functions of libtensorflow. */
struct Library {
  decltype(&::TFE_NewContext) new_context;
  decltype(&::TFE_ContextOptionsSetConfig) set_config;
  decltype(&::TFE_EnableCollectiveOps) enable_collectives;
  decltype(&::TFE_ReportErrorToCluster) report_error;
  decltype(&::TF_DeviceListType) device_type;
  decltype(&::TF_DeviceListName) device_name;
  decltype(&::TF_NewStatus) new_status;
  decltype(&::TF_DeleteStatus) delete_status;
  decltype(&::TF_GetCode) code;
  decltype(&::TF_Message) text;
} library;

/** Find them in the library that has called, and in those that it needs. */
bool bind_library(const void* caller) {
  Dl_info info;
  void* caller_library = dladdr(caller, &info) ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
  if (caller_library == nullptr) {
    error = "the library that asks for a context is not found";
    return false;
  }
  const auto find = [caller_library](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(caller_library, name));
    if (function == nullptr) error = std::string("libtensorflow has no ") + name;
  };
  find(library.new_context, "TFE_NewContext");
  find(library.set_config, "TFE_ContextOptionsSetConfig");
  find(library.enable_collectives, "TFE_EnableCollectiveOps");
  find(library.report_error, "TFE_ReportErrorToCluster");
  find(library.device_type, "TF_DeviceListType");
  find(library.device_name, "TF_DeviceListName");
  find(library.new_status, "TF_NewStatus");
  find(library.delete_status, "TF_DeleteStatus");
  find(library.code, "TF_GetCode");
  find(library.text, "TF_Message");
  return error.empty();
}

/** Joins the cluster. TensorFlow would take SIGTERM for itself, which is the program's own: its handler is put back. */
void join(TFE_Context* made, TF_Status* status) {
  struct sigaction before;
  sigaction(SIGTERM, nullptr, &before);
  restricted = listen_only_at(address.c_str(), port);
  if (!restricted) {
    error = "TensorFlow cannot be kept from listening at every address of this machine";
    return;
  }
  library.enable_collectives(made, server.data(), server.size(), status);
  sigaction(SIGTERM, &before, nullptr);
  if (library.code(status) != TF_OK) error = library.text(status);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) TFE_Context* TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status) {
  if (!bind_library(__builtin_return_address(0))) return nullptr;
  if (config.empty()) return library.new_context(options, status);
  library.set_config(const_cast<TFE_ContextOptions*>(options), config.data(), config.size(), status);
  TFE_Context* made = library.code(status) == TF_OK ? library.new_context(options, status) : nullptr;
  if (library.code(status) != TF_OK) error = library.text(status);
  else join(made, status);
  context = made;
  return made;
}

/** The context lists devices of all workers, and the backend takes the last one of its kind for its own: others' are of no kind. */
__attribute__((visibility("default"))) const char* TF_DeviceListType(const TF_DeviceList* list, int index, TF_Status* status) {
  const char* type = library.device_type(list, index, status);
  if (local_prefix.empty() || type == nullptr) return type;
  const char* name = library.device_name(list, index, status);
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
  napi_value result, joined, message, listening;
  napi_create_object(env, &result);
  napi_get_boolean(env, context != nullptr && error.empty(), &joined);
  napi_set_named_property(env, result, "joined", joined);
  napi_create_string_utf8(env, error.data(), error.size(), &message);
  napi_set_named_property(env, result, "error", message);
  napi_get_boolean(env, listened_only_there(), &listening);
  napi_set_named_property(env, result, "listening", listening);
  return result;
}

napi_value report(napi_env env, napi_callback_info info) {
  napi_value given[2];
  arguments_of(env, info, given);
  int32_t code = 0;
  napi_get_value_int32(env, given[0], &code);
  if (context == nullptr || !error.empty()) return nullptr;
  TF_Status* status = library.new_status();
  library.report_error(context, code, text_of(env, given[1]).c_str(), status);
  library.delete_status(status);
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {{"prepare", prepare}, {"state", state}, {"report", report}};
  for (const auto& one : functions) {
    napi_value function;
    if (napi_create_function(env, one.name, NAPI_AUTO_LENGTH, one.call, nullptr, &function) != napi_ok) break;
    napi_set_named_property(env, exports, one.name, function);
  }
  return exports;
}
