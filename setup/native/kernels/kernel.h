// What our kernels share: inputs, outputs and errors of an operation, and how it becomes known to TensorFlow.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bf16.h"
#include "tensorflow/c/c_api_macros.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_datatype.h"
#include "tensorflow/c/tf_status.h"
#include "tensorflow/c/tf_tensor.h"

// What is used of tensorflow/c/kernels.h, which comes without a header that it includes itself.
extern "C" {
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpKernelContext TF_OpKernelContext;
TF_CAPI_EXPORT extern TF_KernelBuilder* TF_NewKernelBuilder(const char* op_name, const char* device_name,
                                                            void* (*create)(TF_OpKernelConstruction*),
                                                            void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
TF_CAPI_EXPORT extern void TF_RegisterKernelBuilder(const char* kernel_name, TF_KernelBuilder* builder, TF_Status* status);
TF_CAPI_EXPORT extern int TF_NumInputs(TF_OpKernelContext* context);
TF_CAPI_EXPORT extern void TF_GetInput(TF_OpKernelContext* context, int index, TF_Tensor** tensor, TF_Status* status);
TF_CAPI_EXPORT extern void TF_OpKernelContext_Failure(TF_OpKernelContext* context, TF_Status* status);
TF_CAPI_EXPORT extern TF_Tensor* TF_AllocateOutput(TF_OpKernelContext* context, int index, TF_DataType type, const int64_t* dims,
                                                   int num_dims, size_t bytes, TF_Status* status);
TF_CAPI_EXPORT extern TF_Tensor* TF_ForwardInputOrAllocateOutput(TF_OpKernelContext* context, const int* inputs, int num_inputs,
                                                                 int output, const int64_t* dims, int num_dims, int* forwarded,
                                                                 TF_Status* status);
}

/** Ends a kernel; the operation fails with the message. */
struct KernelError {
  std::string message;
};

/** A tensor that the kernel reads: of floats, or where it says so of bfloat16. */
class Input {
 public:
  Input(TF_OpKernelContext* context, int index);
  ~Input() { TF_DeleteTensor(tensor); }
  Input(const Input&) = delete;

  const float* data() const { return static_cast<const float*>(TF_TensorData(tensor)); }
  const Bf16* narrow() const { return static_cast<const Bf16*>(TF_TensorData(tensor)); }
  int64_t size() const { return TF_TensorElementCount(tensor); }
  std::vector<int64_t> shape() const;
  /** Numbers along the last axis, and how many rows of them there are. */
  int64_t columns() const;
  int64_t rows() const;

 protected:
  TF_Tensor* tensor = nullptr;
};

/** A float tensor that the kernel reads and writes in its place: nobody else may hold its memory. */
class InPlace : public Input {
 public:
  using Input::Input;
  float* memory() const { return static_cast<float*>(TF_TensorData(tensor)); }
};

/** A new tensor. */
class Output {
 public:
  Output(TF_OpKernelContext* context, int index, const std::vector<int64_t>& shape, TF_DataType type = TF_FLOAT);
  /**
   * The first output, of the shape of an input and in its memory where nobody else reads that any more. To be made before the input is
   * taken, which counts as reading it; the kernel reads no number of it after it has written to its place.
   */
  static Output over(TF_OpKernelContext* context, int input);
  ~Output() { TF_DeleteTensor(tensor); }
  Output(const Output&) = delete;

  float* data() const { return static_cast<float*>(TF_TensorData(tensor)); }
  Bf16* narrow() const { return static_cast<Bf16*>(TF_TensorData(tensor)); }

 private:
  explicit Output(TF_Tensor* made) : tensor(made) {}
  TF_Tensor* tensor;
};

/** Fails the operation where `holds` is false. */
void require(bool holds, const char* message);

using Compute = void (*)(TF_OpKernelContext*);

/**
 * Make an operation known; the names are those of its inputs and outputs, of floats where they do not say another type as in "x: bfloat16"; "x: N * float" is a list
 * of as many as the attribute N says.
 * `stateful`: it also writes to inputs.
 */
void register_operation(const char* name, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                        void (*compute)(void*, TF_OpKernelContext*), bool stateful = false);

/** A kernel's function as TensorFlow calls it, with errors as the operation's. */
template <Compute compute>
void guarded_kernel(void*, TF_OpKernelContext* context) {
  try {
    compute(context);
  } catch (const KernelError& error) {
    TF_Status* status = TF_NewStatus();
    TF_SetStatus(status, TF_INVALID_ARGUMENT, error.message.c_str());
    TF_OpKernelContext_Failure(context, status);
    TF_DeleteStatus(status);
  }
}
