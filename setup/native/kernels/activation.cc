// GELU and its gradient.

#include <algorithm>

#include "gelu.h"
#include "kernel.h"
#include "kernels.h"
#include "parallel.h"

namespace {

constexpr int64_t kGrain = 1024; // in Lanes

FOR_EACH_PROCESSOR void apply(const float* x, float* y, int64_t count) { gelu(x, y, count); }

FOR_EACH_PROCESSOR void differentiate(const float* x, const float* dy, float* dx, int64_t size, int64_t begin, int64_t end) {
  for (int64_t i = begin * kLanes; i < end * kLanes; i += kLanes) {
    if (i + kLanes <= size) store(dx + i, gelu_gradient(load(x + i), load(dy + i)));
    else store_some(dx + i, gelu_gradient(load_some(x + i, size - i), load_some(dy + i, size - i)), size - i);
  }
}

void forward(TF_OpKernelContext* context) {
  const Output y = Output::over(context, 0);
  const Input x(context, 0);
  const int64_t size = x.size();
  parallel_for((size + kLanes - 1) / kLanes, kGrain,
               [&](int64_t begin, int64_t end) { apply(x.data() + begin * kLanes, y.data() + begin * kLanes, std::min(size, end * kLanes) - begin * kLanes); });
}

void backward(TF_OpKernelContext* context) {
  const Input x(context, 0), dy(context, 1);
  require(x.size() == dy.size(), "x and dy have the same shape");
  const Output dx(context, 0, x.shape());
  const int64_t size = x.size();
  parallel_for((size + kLanes - 1) / kLanes, kGrain,
               [&](int64_t begin, int64_t end) { differentiate(x.data(), dy.data(), dx.data(), size, begin, end); });
}

}  // namespace

void register_activation() {
  register_operation("RfGelu", {"x"}, {"y"}, guarded_kernel<forward>);
  register_operation("RfGeluGrad", {"x", "dy"}, {"dx"}, guarded_kernel<backward>);
}
