// GELU and its gradient.

#include "gelu.h"
#include "kernel.h"
#include "kernels.h"
#include "parallel.h"

namespace {

constexpr int64_t kGrain = 16384;

FOR_EACH_PROCESSOR void apply(const float* x, float* y, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) y[i] = gelu(x[i]);
}

FOR_EACH_PROCESSOR void differentiate(const float* x, const float* dy, float* dx, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) dx[i] = dy[i] * gelu_slope(x[i]);
}

void forward(TF_OpKernelContext* context) {
  const Output y = Output::over(context, 0);
  const Input x(context, 0);
  parallel_for(x.size(), kGrain, [&](int64_t begin, int64_t end) { apply(x.data(), y.data(), begin, end); });
}

void backward(TF_OpKernelContext* context) {
  const Input x(context, 0), dy(context, 1);
  require(x.size() == dy.size(), "x and dy have the same shape");
  const Output dx(context, 0, x.shape());
  parallel_for(x.size(), kGrain, [&](int64_t begin, int64_t end) { differentiate(x.data(), dy.data(), dx.data(), begin, end); });
}

}  // namespace

void register_activation() {
  register_operation("RfGelu", {"x"}, {"y"}, guarded_kernel<forward>);
  register_operation("RfGeluGrad", {"x", "dy"}, {"dx"}, guarded_kernel<backward>);
}
