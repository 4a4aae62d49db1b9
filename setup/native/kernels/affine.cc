// What follows a matrix product in bfloat16, in one pass: the bias, an activation, and rounding; and the way back, with the bias' gradient,
// which is there for floats, too.

#include "gelu.h"
#include "kernel.h"
#include "kernels.h"
#include "parallel.h"

namespace {

enum Activation { kNone, kRelu, kGelu };

template <Activation activation, typename T>
INLINE void apply_rows(const Bf16* product, const float* bias, T* y, int64_t columns, int64_t begin, int64_t end) {
  for (int64_t at = begin * columns; at < end * columns; at += columns)
    over_columns(columns, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
      const Lanes x = part(product + at + i, count) + part(bias + i, count);
      if (activation == kRelu) put(y + at + i, select(x < 0.0f, Lanes{}, x), count);
      else put(y + at + i, activation == kGelu ? gelu(x) : x, count);
    });
}

FOR_EACH_PROCESSOR void apply_wide(const Bf16* product, const float* bias, float* y, int64_t columns, int64_t begin, int64_t end) {
  apply_rows<kNone>(product, bias, y, columns, begin, end);
}

FOR_EACH_PROCESSOR void apply_narrow(const Bf16* product, const float* bias, Bf16* y, Activation activation, int64_t columns,
                                     int64_t begin, int64_t end) {
  if (activation == kNone) apply_rows<kNone>(product, bias, y, columns, begin, end);
  else if (activation == kRelu) apply_rows<kRelu>(product, bias, y, columns, begin, end);
  else apply_rows<kGelu>(product, bias, y, columns, begin, end);
}

/** `d_of(at, column, count)`: the gradient of a few numbers; adds it to `sums`, a number a column. */
template <typename Of>
INLINE void differentiate_rows(Of d_of, float* sums, int64_t columns, int64_t begin, int64_t end) {
  for (int64_t at = begin * columns; at < end * columns; at += columns)
    over_columns(columns, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
      put(sums + i, part(sums + i, count) + d_of(at + i, i, count), count);
    });
}

FOR_EACH_PROCESSOR void differentiate_wide(const float* dy, Bf16* d, float* sums, int64_t columns, int64_t begin, int64_t end) {
  differentiate_rows(
      [&](int64_t at, int64_t, int64_t count) __attribute__((always_inline)) {
        const Lanes lanes = part(dy + at, count);
        put(d + at, lanes, count);
        return lanes;
      },
      sums, columns, begin, end);
}

template <typename T>
INLINE void add_gradients(const T* dy, float* sums, int64_t columns, int64_t begin, int64_t end) {
  differentiate_rows([&](int64_t at, int64_t, int64_t count) __attribute__((always_inline)) { return part(dy + at, count); }, sums,
                     columns, begin, end);
}

FOR_EACH_PROCESSOR void sum_narrow(const Bf16* dy, float* sums, int64_t columns, int64_t begin, int64_t end) {
  add_gradients(dy, sums, columns, begin, end);
}

FOR_EACH_PROCESSOR void sum_floats(const float* dy, float* sums, int64_t columns, int64_t begin, int64_t end) {
  add_gradients(dy, sums, columns, begin, end);
}

FOR_EACH_PROCESSOR void differentiate_relu(const Bf16* dy, const Bf16* y, Bf16* d, float* sums, int64_t columns, int64_t begin,
                                           int64_t end) {
  differentiate_rows(
      [&](int64_t at, int64_t, int64_t count) __attribute__((always_inline)) {
        const Lanes lanes = select(part(y + at, count) > 0.0f, part(dy + at, count), Lanes{});
        put(d + at, lanes, count);
        return lanes;
      },
      sums, columns, begin, end);
}

FOR_EACH_PROCESSOR void differentiate_gelu(const Bf16* dy, const Bf16* product, const float* bias, Bf16* d, float* sums, int64_t columns,
                                           int64_t begin, int64_t end) {
  differentiate_rows(
      [&](int64_t at, int64_t i, int64_t count) __attribute__((always_inline)) {
        const Lanes lanes = part(dy + at, count) * gelu_slope(part(product + at, count) + part(bias + i, count));
        put(d + at, lanes, count);
        return lanes;
      },
      sums, columns, begin, end);
}

template <Activation activation, bool wide>
void forward(TF_OpKernelContext* context) {
  const Output y = wide ? Output(context, 0, Input(context, 0).shape()) : Output::over(context, 0);
  const Input product(context, 0), bias(context, 1);
  const int64_t columns = product.columns();
  require(bias.size() == columns, "product [rows, columns], bias [columns]");
  parallel_for(product.rows(), 1 + 16384 / (columns + 1), [&](int64_t begin, int64_t end) {
    if (wide) apply_wide(product.narrow(), bias.data(), y.data(), columns, begin, end);
    else apply_narrow(product.narrow(), bias.data(), y.narrow(), activation, columns, begin, end);
  });
}

/** `run(begin, end, sums)` for parts of the rows; the sums of all become an output. */
template <typename Run>
void with_sums(TF_OpKernelContext* context, int index, int64_t rows, int64_t columns, Run run) {
  const Output d_bias(context, index, {columns});
  sum_rows(rows, columns, run, [&](int64_t column, float total) { d_bias.data()[column] = total; });
}

void backward_wide(TF_OpKernelContext* context) {
  const Input dy(context, 0);
  const Output d(context, 0, dy.shape(), TF_BFLOAT16);
  with_sums(context, 1, dy.rows(), dy.columns(), [&](int64_t begin, int64_t end, float* sums) {
    differentiate_wide(dy.data(), d.narrow(), sums, dy.columns(), begin, end);
  });
}

template <bool narrow>
void backward_bias(TF_OpKernelContext* context) {
  const Input dy(context, 0);
  with_sums(context, 0, dy.rows(), dy.columns(), [&](int64_t begin, int64_t end, float* sums) {
    if (narrow) sum_narrow(dy.narrow(), sums, dy.columns(), begin, end);
    else sum_floats(dy.data(), sums, dy.columns(), begin, end);
  });
}

void backward_relu(TF_OpKernelContext* context) {
  const Input dy(context, 0), y(context, 1);
  require(dy.size() == y.size(), "dy and y alike");
  const Output d(context, 0, dy.shape(), TF_BFLOAT16);
  with_sums(context, 1, dy.rows(), dy.columns(), [&](int64_t begin, int64_t end, float* sums) {
    differentiate_relu(dy.narrow(), y.narrow(), d.narrow(), sums, dy.columns(), begin, end);
  });
}

void backward_gelu(TF_OpKernelContext* context) {
  const Input dy(context, 0), product(context, 1), bias(context, 2);
  require(dy.size() == product.size() && bias.size() == dy.columns(), "dy and product alike, bias [columns]");
  const Output d(context, 0, dy.shape(), TF_BFLOAT16);
  with_sums(context, 1, dy.rows(), dy.columns(), [&](int64_t begin, int64_t end, float* sums) {
    differentiate_gelu(dy.narrow(), product.narrow(), bias.data(), d.narrow(), sums, dy.columns(), begin, end);
  });
}

}  // namespace

void register_affine() {
  const std::string product = "product: bfloat16", dy = "dy: bfloat16", y = "y: bfloat16", d = "d: bfloat16";
  register_operation("RfAffine", {product, "bias"}, {"y"}, guarded_kernel<forward<kNone, true>>);
  register_operation("RfAffineNarrow", {product, "bias"}, {y}, guarded_kernel<forward<kNone, false>>);
  register_operation("RfAffineRelu", {product, "bias"}, {y}, guarded_kernel<forward<kRelu, false>>);
  register_operation("RfAffineGelu", {product, "bias"}, {y}, guarded_kernel<forward<kGelu, false>>);
  register_operation("RfAffineGrad", {"dy"}, {d, "dbias"}, guarded_kernel<backward_wide>);
  register_operation("RfAffineNarrowGrad", {dy}, {"dbias"}, guarded_kernel<backward_bias<true>>);
  register_operation("RfBiasGrad", {"dy"}, {"dbias"}, guarded_kernel<backward_bias<false>>);
  register_operation("RfAffineReluGrad", {dy, y}, {d, "dbias"}, guarded_kernel<backward_relu>);
  register_operation("RfAffineGeluGrad", {dy, product, "bias"}, {d, "dbias"}, guarded_kernel<backward_gelu>);
}
