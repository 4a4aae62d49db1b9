// Functions of libtensorflow, in the library that the binding has loaded. Nothing of ours is linked with it.

#pragma once

#include <string>
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/c_api_experimental.h"
#include "tensorflow/c/eager/c_api.h"
#include "tensorflow/c/eager/c_api_experimental.h"

#define RFDETR_FUNCTIONS(one)                                                                                       \
  one(TFE_NewContext) one(TFE_ContextOptionsSetConfig) one(TFE_EnableCollectiveOps) one(TFE_ReportErrorToCluster)   \
  one(TF_DeviceListType) one(TF_DeviceListName)                                                                     \
  one(TF_NewStatus) one(TF_DeleteStatus) one(TF_GetCode) one(TF_Message)                                            \
  one(TF_NewGraph) one(TF_NewBufferFromString) one(TF_DeleteBuffer) one(TF_GraphOperationByName)                    \
  one(TF_NewImportGraphDefOptions) one(TF_DeleteImportGraphDefOptions) one(TF_GraphImportGraphDef)                  \
  one(TF_NewSessionOptions) one(TF_DeleteSessionOptions) one(TF_SetTarget) one(TF_SetConfig)                        \
  one(TF_NewSession) one(TF_SessionRun)                                                                             \
  one(TF_AllocateTensor) one(TF_TensorData) one(TF_DeleteTensor) one(TFE_DeleteTensorHandle)                        \
  one(TFE_NewOp) one(TFE_DeleteOp) one(TFE_OpAddInput) one(TFE_OpSetAttrType)                                       \
  one(TFE_OpSetAttrString) one(TFE_OpSetAttrFloat) one(TFE_Execute)

struct Library {
#define RFDETR_MEMBER(name) decltype(&::name) name;
  RFDETR_FUNCTIONS(RFDETR_MEMBER)
#undef RFDETR_MEMBER
  TFE_TensorHandle* (*TFE_NewTensorHandle)(const TF_Tensor*, TF_Status*);  // there is another one of this name in C++
};

extern Library library;

/** Find them in the library that has an address in it, and in those that it needs. Returns what is wrong, or nothing. */
std::string find_library(const void* address);
