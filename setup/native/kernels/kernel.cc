#include "kernel.h"

#include <cstdio>

namespace {

struct Status {
  TF_Status* status = TF_NewStatus();
  ~Status() { TF_DeleteStatus(status); }
  void check() const {
    if (TF_GetCode(status) != TF_OK) throw KernelError{TF_Message(status)};
  }
};

std::string typed(const std::string& name) { return name.find(':') == std::string::npos ? name + ": float" : name; }

}  // namespace

Input::Input(TF_OpKernelContext* context, int index) {
  Status status;
  TF_GetInput(context, index, &tensor, status.status);
  status.check();
}

std::vector<int64_t> Input::shape() const {
  std::vector<int64_t> dims;
  for (int i = 0; i < TF_NumDims(tensor); i++) dims.push_back(TF_Dim(tensor, i));
  return dims;
}

int64_t Input::columns() const {
  const int axes = TF_NumDims(tensor);
  return axes == 0 ? 1 : TF_Dim(tensor, axes - 1);
}

int64_t Input::rows() const { return columns() == 0 ? 0 : size() / columns(); }

Output::Output(TF_OpKernelContext* context, int index, const std::vector<int64_t>& shape, TF_DataType type) {
  int64_t size = 1;
  for (int64_t dim : shape) size *= dim;
  Status status;
  tensor = TF_AllocateOutput(context, index, type, shape.data(), static_cast<int>(shape.size()),
                             size * TF_DataTypeSize(type), status.status);
  status.check();
}

Output Output::over(TF_OpKernelContext* context, int input) {
  const std::vector<int64_t> shape = Input(context, input).shape();
  Status status;
  int forwarded;
  TF_Tensor* made = TF_ForwardInputOrAllocateOutput(context, &input, 1, 0, shape.data(), static_cast<int>(shape.size()), &forwarded,
                                                    status.status);
  status.check();
  return Output(made);
}

void require(bool holds, const char* message) {
  if (!holds) throw KernelError{message};
}

void register_operation(const char* name, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                        void (*compute)(void*, TF_OpKernelContext*), bool stateful) {
  Status status;
  TF_OpDefinitionBuilder* definition = TF_NewOpDefinitionBuilder(name);
  for (const std::string& input : inputs) TF_OpDefinitionBuilderAddInput(definition, typed(input).c_str());
  for (const std::string& output : outputs) TF_OpDefinitionBuilderAddOutput(definition, typed(output).c_str());
  for (const std::string& input : inputs) {
    if (input.find("N *") == std::string::npos) continue;
    TF_OpDefinitionBuilderAddAttr(definition, "N: int >= 1");
    break;
  }
  if (stateful) TF_OpDefinitionBuilderSetIsStateful(definition, true); // TensorFlow does not look at what it is given
  TF_OpDefinitionBuilderSetShapeInferenceFunction(definition, [](TF_ShapeInferenceContext* context, TF_Status* status) {
    TF_ShapeInferenceContextSetUnknownShape(context, status);
  });
  TF_RegisterOpDefinition(definition, status.status);
  status.check();
  TF_RegisterKernelBuilder(name, TF_NewKernelBuilder(name, "CPU", nullptr, compute, nullptr), status.status);
  status.check();
}
