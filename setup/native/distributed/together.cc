#include "together.h"
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>

namespace {

struct Status {
  TF_Status* status = library.TF_NewStatus();
  ~Status() { library.TF_DeleteStatus(status); }
  /** What it says, or nothing. */
  std::string trouble() const { return library.TF_GetCode(status) == TF_OK ? "" : library.TF_Message(status); }
};

/** Made by its first run, which may have to wait for other workers. */
struct Session {
  std::string graph, config, target, node;
  TF_Session* session = nullptr;
  TF_Operation* asked = nullptr;

  std::string begin() {
    Status status;
    TF_Graph* made = library.TF_NewGraph();
    TF_Buffer* buffer = library.TF_NewBufferFromString(graph.data(), graph.size());
    TF_ImportGraphDefOptions* importing = library.TF_NewImportGraphDefOptions();
    library.TF_GraphImportGraphDef(made, buffer, importing, status.status);
    library.TF_DeleteImportGraphDefOptions(importing);
    library.TF_DeleteBuffer(buffer);
    if (!status.trouble().empty()) return status.trouble();
    asked = library.TF_GraphOperationByName(made, node.c_str());
    if (asked == nullptr) return "the graph has no node " + node;
    TF_SessionOptions* options = library.TF_NewSessionOptions();
    library.TF_SetTarget(options, target.c_str());
    library.TF_SetConfig(options, config.data(), config.size(), status.status);
    if (status.trouble().empty()) session = library.TF_NewSession(made, options, status.status);
    library.TF_DeleteSessionOptions(options);
    graph.clear();
    return status.trouble();
  }
};

std::mutex guard;
std::deque<Session> sessions;  // none moves when another one is added

}  // namespace

int open_session(std::string graph, std::string config, std::string target, std::string node) {
  std::lock_guard<std::mutex> lock(guard);
  sessions.push_back({std::move(graph), std::move(config), std::move(target), std::move(node)});
  return sessions.size() - 1;
}

std::string run_session(int number) {
  Session* session = nullptr;
  {
    std::lock_guard<std::mutex> lock(guard);
    session = &sessions.at(number);
  }
  if (session->session == nullptr) {
    const std::string trouble = session->begin();
    if (!trouble.empty()) return trouble;
  }
  Status status;
  library.TF_SessionRun(session->session, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0, &session->asked, 1, nullptr, status.status);
  return status.trouble();
}

std::string receive_broadcast(TFE_Context* context, int32_t size, int32_t group, int32_t key) {
  Status status;
  TFE_Op* op = library.TFE_NewOp(context, "CollectiveBcastRecvV2", status.status);
  if (op == nullptr) return status.trouble();
  const auto add = [&](int32_t number, int dimensions) {
    const int64_t shape[] = {1};
    TF_Tensor* tensor = library.TF_AllocateTensor(TF_INT32, shape, dimensions, sizeof number);
    memcpy(library.TF_TensorData(tensor), &number, sizeof number);
    TFE_TensorHandle* handle = library.TFE_NewTensorHandle(tensor, status.status);
    library.TF_DeleteTensor(tensor);
    library.TFE_OpAddInput(op, handle, status.status);
    library.TFE_DeleteTensorHandle(handle);
  };
  add(size, 0);
  add(group, 0);
  add(key, 0);
  add(1, 1);  // the shape
  library.TFE_OpSetAttrType(op, "T", TF_FLOAT);
  library.TFE_OpSetAttrType(op, "Tshape", TF_INT32);
  library.TFE_OpSetAttrString(op, "communication_hint", "auto", 4);
  library.TFE_OpSetAttrFloat(op, "timeout_seconds", 0);
  TFE_TensorHandle* received = nullptr;
  int count = 1;
  library.TFE_Execute(op, &received, &count, status.status);
  if (received != nullptr) library.TFE_DeleteTensorHandle(received);
  library.TFE_DeleteOp(op);
  return status.trouble();
}
