// A residual with a scale a channel, x + a * scale, and its gradients.

#include "kernel.h"
#include "kernels.h"
#include "lanes.h"
#include "parallel.h"

namespace {

FOR_EACH_PROCESSOR void add_scaled(const float* x, const float* a, const float* scale, float* y, int64_t columns, int64_t begin,
                                   int64_t end) {
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * columns;
    for (int64_t i = 0; i < whole; i += kLanes) store(y + at + i, load(x + at + i) + load(a + at + i) * load(scale + i));
    for (int64_t i = whole; i < columns; i++) y[at + i] = x[at + i] + a[at + i] * scale[i];
  }
}

FOR_EACH_PROCESSOR void differentiate(const float* dy, const float* a, const float* scale, float* da, float* sums, int64_t columns,
                                      int64_t begin, int64_t end) {
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * columns;
    for (int64_t i = 0; i < whole; i += kLanes) {
      const Lanes d = load(dy + at + i);
      store(da + at + i, d * load(scale + i));
      store(sums + i, load(sums + i) + d * load(a + at + i));
    }
    for (int64_t i = whole; i < columns; i++) {
      da[at + i] = dy[at + i] * scale[i];
      sums[i] += dy[at + i] * a[at + i];
    }
  }
}

FOR_EACH_PROCESSOR void add_narrow(const float* x, const Bf16* a, const float* scale, float* y, int64_t columns, int64_t begin,
                                   int64_t end) {
  for (int64_t at = begin * columns; at < end * columns; at += columns)
    over_columns(columns, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
      put(y + at + i, part(x + at + i, count) + part(a + at + i, count) * part(scale + i, count), count);
    });
}

FOR_EACH_PROCESSOR void differentiate_narrow(const float* dy, const Bf16* a, const float* scale, Bf16* da, float* sums, int64_t columns,
                                             int64_t begin, int64_t end) {
  for (int64_t at = begin * columns; at < end * columns; at += columns)
    over_columns(columns, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
      const Lanes d = part(dy + at + i, count);
      put(da + at + i, d * part(scale + i, count), count);
      put(sums + i, part(sums + i, count) + d * part(a + at + i, count), count);
    });
}

/** `narrow`: a is bfloat16, and its gradient. */
template <bool narrow>
void forward(TF_OpKernelContext* context) {
  const Output y = Output::over(context, 1);
  const Input x(context, 0), a(context, 1), scale(context, 2);
  const int64_t columns = x.columns();
  require(x.size() == a.size() && scale.size() == columns, "x and a alike, scale [dim]");
  parallel_for(x.rows(), 64, [&](int64_t begin, int64_t end) {
    if (narrow) add_narrow(x.data(), a.narrow(), scale.data(), y.data(), columns, begin, end);
    else add_scaled(x.data(), a.data(), scale.data(), y.data(), columns, begin, end);
  });
}

template <bool narrow>
void backward(TF_OpKernelContext* context) {
  const Input dy(context, 0), a(context, 1), scale(context, 2);
  const int64_t rows = a.rows(), columns = a.columns();
  require(dy.size() == a.size() && scale.size() == columns, "dy and a alike, scale [dim]");
  const Output da(context, 0, a.shape(), narrow ? TF_BFLOAT16 : TF_FLOAT), d_scale(context, 1, scale.shape());
  const auto run = [&](int64_t begin, int64_t end, float* sums) {
    if (narrow) differentiate_narrow(dy.data(), a.narrow(), scale.data(), da.narrow(), sums, columns, begin, end);
    else differentiate(dy.data(), a.data(), scale.data(), da.data(), sums, columns, begin, end);
  };
  sum_rows(rows, columns, run, [&](int64_t column, float total) { d_scale.data()[column] = total; });
}

}  // namespace

void register_residual() {
  register_operation("RfScaledResidual", {"x", "a", "scale"}, {"y"}, guarded_kernel<forward<false>>);
  register_operation("RfScaledResidualGrad", {"dy", "a", "scale"}, {"da", "dscale"}, guarded_kernel<backward<false>>);
  register_operation("RfScaledResidualNarrow", {"x", "a: bfloat16", "scale"}, {"y"}, guarded_kernel<forward<true>>);
  register_operation("RfScaledResidualNarrowGrad", {"dy", "a: bfloat16", "scale"}, {"da: bfloat16", "dscale"},
                     guarded_kernel<backward<true>>);
}
