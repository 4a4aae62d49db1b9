// tfjs-node's binding as it is, and beside it what recording needs: functions in its own TensorFlow context. They have to be
// compiled together with it, because context and tensors are private members of its backend; its sources are not changed. Tensors
// that it makes of arrays have memory of their own.
//
//   opDef(op): Uint8Array                                     what TensorFlow knows of an operation, as a serialised OpDef
//   addFunction(graph, name, inputs, outputs, effects)        a serialised GraphDef as a function; outputs: "node:index";
//                                                             effects: nodes that run though no output needs them
//   removeFunction(name)
//   callFunction(name, ids, types, xla, background)           metadata of the outputs, as executeOp has it, whose element types
//                                                             are `types`; in the background: a promise of them, while a
//                                                             thread of libuv computes

#include <node_api.h>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>
#include "openSignals.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

/**
 * TF_NewTensor for tfjs' backend: the tensor has memory of its own. Left to itself it shares an array's memory where that lies on a
 * boundary of 64 bytes, which TensorFlow then gives back from whichever thread is the last to use the tensor, though JavaScript's
 * references may be touched by its own thread alone; and kernels that write in place would write to the array.
 */
static TF_Tensor* copied_tensor(TF_DataType type, const int64_t* dims, int num_dims, void* data, size_t length,
                                void (*release)(void* data, size_t length, void* arg), void* arg) {
  TF_Tensor* tensor = TF_AllocateTensor(type, dims, num_dims, length);
  if (tensor != nullptr && length > 0) memcpy(TF_TensorData(tensor), data, length);
  release(data, length, arg);
  return tensor;
}

#define private public
#include "tfjs_backend.h"
#undef private
#define TF_NewTensor copied_tensor
#include "tfjs_backend.cc"
#undef TF_NewTensor
#undef NAPI_MODULE
#define NAPI_MODULE(name, initialise)
#include "tfjs_binding.cc"

namespace {

using tfnodejs::TFJSBackend;

/** What ends a call with an exception in JavaScript. */
struct Failure {
  std::string message;
};

void require(napi_status status, const char* what) {
  if (status != napi_ok) throw Failure{what};
}

struct Status {
  TF_Status* status = TF_NewStatus();
  ~Status() { TF_DeleteStatus(status); }
  void check(const std::string& doing) const {
    if (TF_GetCode(status) != TF_OK) throw Failure{doing + ": " + TF_Message(status)};
  }
};

TFJSBackend* backend_of(napi_env env) {
  void* data = nullptr;
  require(napi_get_instance_data(env, &data), "the backend is gone");
  return static_cast<TFJSBackend*>(data);
}

std::string text_of(napi_env env, napi_value value) {
  size_t length = 0;
  require(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string is expected");
  std::string text(length, '\0');
  require(napi_get_value_string_utf8(env, value, &text[0], length + 1, &length), "a string is expected");
  return text;
}

std::vector<std::string> texts_of(napi_env env, napi_value list) {
  uint32_t length = 0;
  require(napi_get_array_length(env, list, &length), "a list of strings is expected");
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    require(napi_get_element(env, list, i, &element), "a list of strings is expected");
    texts.push_back(text_of(env, element));
  }
  return texts;
}

template <typename T>
std::pair<const T*, size_t> numbers_of(napi_env env, napi_value value, napi_typedarray_type wanted) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok || type != wanted) {
    throw Failure{"a typed array of another kind is expected"};
  }
  return {static_cast<const T*>(data), length};
}

/** Calls `work` with the arguments; what it throws becomes an exception. */
template <size_t count, typename Work>
napi_value guarded(napi_env env, napi_callback_info info, Work work) {
  size_t given = count;
  napi_value arguments[count];
  try {
    require(napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr), "no arguments");
    if (given < count) throw Failure{"an argument is missing"};
    return work(arguments);
  } catch (const Failure& failure) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, nullptr, failure.message.c_str());
    return nullptr;
  }
}

using Operation = std::unique_ptr<TFE_Op, decltype(&TFE_DeleteOp)>;
using Graph = std::unique_ptr<TF_Graph, decltype(&TF_DeleteGraph)>;
using Buffer = std::unique_ptr<TF_Buffer, decltype(&TF_DeleteBuffer)>;

napi_value op_def(napi_env env, napi_callback_info info) {
  return guarded<1>(env, info, [env](napi_value* given) {
    const std::string name = text_of(env, given[0]);
    Graph graph(TF_NewGraph(), TF_DeleteGraph);
    Buffer buffer(TF_NewBuffer(), TF_DeleteBuffer);
    Status status;
    TF_GraphGetOpDef(graph.get(), name.c_str(), buffer.get(), status.status);
    status.check(name);
    void* bytes = nullptr;
    napi_value memory, result;
    require(napi_create_arraybuffer(env, buffer->length, &bytes, &memory), "no memory");
    memcpy(bytes, buffer->data, buffer->length);
    require(napi_create_typedarray(env, napi_uint8_array, buffer->length, memory, 0, &result), "no memory");
    return result;
  });
}

TF_Operation* node_of(TF_Graph* graph, const std::string& name) {
  TF_Operation* node = TF_GraphOperationByName(graph, name.c_str());
  if (node == nullptr) throw Failure{"the graph has no node " + name};
  return node;
}

std::vector<TF_Output> places_of(TF_Graph* graph, const std::vector<std::string>& names) {
  std::vector<TF_Output> places;
  for (const std::string& name : names) {
    const size_t colon = name.find(':');
    const int index = colon == std::string::npos ? 0 : atoi(name.c_str() + colon + 1);
    places.push_back({node_of(graph, name.substr(0, colon)), index});
  }
  return places;
}

napi_value add_function(napi_env env, napi_callback_info info) {
  return guarded<5>(env, info, [env](napi_value* given) -> napi_value {
    const auto bytes = numbers_of<uint8_t>(env, given[0], napi_uint8_array);
    const std::string name = text_of(env, given[1]);
    Graph graph(TF_NewGraph(), TF_DeleteGraph);
    Buffer buffer(TF_NewBufferFromString(bytes.first, bytes.second), TF_DeleteBuffer);
    Status status;
    TF_ImportGraphDefOptions* options = TF_NewImportGraphDefOptions();
    TF_GraphImportGraphDef(graph.get(), buffer.get(), options, status.status);
    TF_DeleteImportGraphDefOptions(options);
    status.check("the graph cannot be read");
    const std::vector<TF_Output> inputs = places_of(graph.get(), texts_of(env, given[2]));
    const std::vector<TF_Output> outputs = places_of(graph.get(), texts_of(env, given[3]));
    std::vector<const TF_Operation*> effects;
    for (const std::string& node : texts_of(env, given[4])) effects.push_back(node_of(graph.get(), node));
    TF_Function* function = TF_GraphToFunctionWithControlOutputs(
        graph.get(), name.c_str(), 0, -1, nullptr, inputs.size(), inputs.data(), outputs.size(), outputs.data(), nullptr,
        effects.size(), effects.data(), nullptr, nullptr, nullptr, status.status);
    status.check("the graph is no function");
    TFE_ContextAddFunction(backend_of(env)->tfe_context_, function, status.status);
    TF_DeleteFunction(function);
    status.check("the function cannot be added");
    return nullptr;
  });
}

napi_value remove_function(napi_env env, napi_callback_info info) {
  return guarded<1>(env, info, [env](napi_value* given) -> napi_value {
    const std::string name = text_of(env, given[0]);
    Status status;
    TFE_ContextRemoveFunction(backend_of(env)->tfe_context_, name.c_str(), status.status);
    status.check(name);
    return nullptr;
  });
}

/** One call. The operation holds its inputs, so JavaScript may free them meanwhile. */
struct Call {
  TFE_Op* op = nullptr;
  std::vector<TFE_TensorHandle*> outputs;
  int count = 0;
  Status status;
  napi_async_work work = nullptr;
  napi_deferred promised = nullptr;

  ~Call() {
    if (op != nullptr) TFE_DeleteOp(op);
  }

  void run() { TFE_Execute(op, outputs.data(), &count, status.status); }

  napi_value results(napi_env env) {
    status.check("a recorded stage failed");
    napi_value list;
    require(napi_create_array_with_length(env, count, &list), "no memory");
    for (int i = 0; i < count; i++) {
      napi_value metadata = backend_of(env)->GenerateOutputTensorInfo(env, outputs[i]);
      require(napi_set_element(env, list, i, metadata), "no memory");
    }
    return list;
  }
};

void finish(napi_env env, napi_status, void* data) {
  std::unique_ptr<Call> call(static_cast<Call*>(data));
  napi_delete_async_work(env, call->work);
  try {
    napi_resolve_deferred(env, call->promised, call->results(env));
  } catch (const Failure& failure) {
    napi_value message, error;
    napi_create_string_utf8(env, failure.message.c_str(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &error);
    napi_reject_deferred(env, call->promised, error);
  }
}

/** TensorFlow's name for one operation after the other, on one thread. */
const std::string kInOrder = "SINGLE_THREADED_EXECUTOR";

/**
 * A function as a branch of "If", whose other branch is the same. TensorFlow runs a branch as it is, operation by operation; a
 * function that is called by itself goes through rewrites that choose other kernels, which round differently. On the CPU operations
 * follow one another: each is on all threads anyway, and two at a time are in each other's way.
 */
void set_branches(TFJSBackend* backend, Call* call, const std::string& name, const std::vector<TF_DataType>& in,
                  const std::vector<TF_DataType>& out) {
  const uint8_t yes = 1;
  TF_Tensor* tensor = TF_AllocateTensor(TF_BOOL, nullptr, 0, 1);
  memcpy(TF_TensorData(tensor), &yes, 1);
  TFE_TensorHandle* condition = TFE_NewTensorHandle(tensor, call->status.status);
  TF_DeleteTensor(tensor);
  call->status.check(name);
  TFE_OpAddInput(call->op, condition, call->status.status);
  TFE_DeleteTensorHandle(condition);
  call->status.check(name);
  const Operation function(TFE_NewOp(backend->tfe_context_, name.c_str(), call->status.status), TFE_DeleteOp);
  call->status.check(name);
  if (!backend->is_gpu_device) TFE_OpSetAttrString(function.get(), "_executor", kInOrder.data(), kInOrder.size());
  for (const char* branch : {"then_branch", "else_branch"}) TFE_OpSetAttrFunction(call->op, branch, function.get());
  TFE_OpSetAttrTypeList(call->op, "Tin", in.data(), in.size());
  TFE_OpSetAttrTypeList(call->op, "Tout", out.data(), out.size());
}

napi_value call_function(napi_env env, napi_callback_info info) {
  return guarded<5>(env, info, [env](napi_value* given) {
    TFJSBackend* backend = backend_of(env);
    const std::string name = text_of(env, given[0]);
    const auto ids = numbers_of<int32_t>(env, given[1], napi_int32_array);
    const auto types = numbers_of<int32_t>(env, given[2], napi_int32_array);
    bool xla = false, background = false;
    require(napi_get_value_bool(env, given[3], &xla), "a boolean is expected");
    require(napi_get_value_bool(env, given[4], &background), "a boolean is expected");
    std::vector<TFE_TensorHandle*> inputs;
    std::vector<TF_DataType> in, out;
    for (size_t i = 0; i < ids.second; i++) {
      const auto found = backend->tfe_handle_map_.find(ids.first[i]);
      if (found == backend->tfe_handle_map_.end()) throw Failure{name + ": input " + std::to_string(i) + " was freed"};
      inputs.push_back(found->second);
      in.push_back(TFE_TensorHandleDataType(found->second));
    }
    for (size_t i = 0; i < types.second; i++) out.push_back(static_cast<TF_DataType>(types.first[i]));
    std::unique_ptr<Call> call(new Call);
    call->op = TFE_NewOp(backend->tfe_context_, xla ? name.c_str() : "If", call->status.status);
    call->status.check(name);
    if (backend->is_gpu_device) TFE_OpSetDevice(call->op, backend->device_name.c_str(), call->status.status);
    if (xla) TFE_OpSetAttrBool(call->op, "_XlaMustCompile", 1);
    else set_branches(backend, call.get(), name, in, out);
    for (TFE_TensorHandle* input : inputs) {
      TFE_OpAddInput(call->op, input, call->status.status);
      call->status.check(name);
    }
    call->count = out.size();
    call->outputs.resize(out.size(), nullptr);
    if (!background) {
      call->run();
      return call->results(env);
    }
    napi_value promise, resource;
    require(napi_create_promise(env, &call->promised, &promise), "no memory");
    require(napi_create_string_latin1(env, "rfdetr:function", NAPI_AUTO_LENGTH, &resource), "no memory");
    const auto execute = [](napi_env, void* data) {
      leave_signals_to_others(); // libuv's thread is older than the main thread's resolution to do so
      static_cast<Call*>(data)->run();
    };
    require(napi_create_async_work(env, nullptr, resource, execute, finish, call.get(), &call->work), "no memory");
    require(napi_queue_async_work(env, call->work), "no thread");
    call.release();
    return promise;
  });
}

}  // namespace

NAPI_MODULE_INIT() {
  tfnodejs::InitTFNodeJSBinding(env, exports);
  const std::pair<const char*, napi_callback> added[] = {{"opDef", op_def},
                                                         {"addFunction", add_function},
                                                         {"removeFunction", remove_function},
                                                         {"callFunction", call_function}};
  for (const auto& one : added) {
    napi_value function;
    if (napi_create_function(env, one.first, NAPI_AUTO_LENGTH, one.second, nullptr, &function) != napi_ok) break;
    napi_set_named_property(env, exports, one.first, function);
  }
  return exports;
}
