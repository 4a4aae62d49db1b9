// Layer normalisation over the last axis (Ba, Kiros and Hinton, 2016) in one pass over a row, and its gradient in one pass.

#include <cmath>

#include "kernel.h"
#include "kernels.h"
#include "lanes.h"
#include "parallel.h"

namespace {

/** stats: mean and 1 / standard deviation of each row. */
FOR_EACH_PROCESSOR void normalise(const float* x, const float* weight, const float* bias, float epsilon, float* y, float* stats,
                                  int64_t columns, int64_t begin, int64_t end) {
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t row = begin; row < end; row++) {
    const float* from = x + row * columns;
    float* to = y + row * columns;
    const Lanes rest = load_some(from + whole, columns - whole);
    const float mean = sum_of(whole, [=](int64_t i) __attribute__((always_inline)) { return from[i]; }, rest) / columns;
    const auto square = [=](int64_t i) __attribute__((always_inline)) { return (from[i] - mean) * (from[i] - mean); };
    float variance = sum_of(whole, square);
    for (int64_t i = whole; i < columns; i++) variance += square(i);
    const float scale = 1.0f / std::sqrt(variance / columns + epsilon);
    stats[2 * row] = mean;
    stats[2 * row + 1] = scale;
    for (int64_t i = 0; i < columns; i++) to[i] = (from[i] - mean) * scale * weight[i] + bias[i];
  }
}

/** Adds the rows' shares to `sums`: of the weight's gradient first, then of the bias'. */
FOR_EACH_PROCESSOR void differentiate(const float* dy, const float* x, const float* weight, const float* stats, float* dx, float* sums,
                                      int64_t columns, int64_t begin, int64_t end) {
  const int64_t whole = columns / kLanes * kLanes;
  float* of_weight = sums;
  float* of_bias = sums + columns;
  for (int64_t row = begin; row < end; row++) {
    const float mean = stats[2 * row], scale = stats[2 * row + 1];
    const float *from = x + row * columns, *back = dy + row * columns;
    float* to = dx + row * columns;
    const auto normal = [=](int64_t i) __attribute__((always_inline)) { return (from[i] - mean) * scale; };
    const auto weighted = [=](int64_t i) __attribute__((always_inline)) { return back[i] * weight[i]; };
    const auto projection = [=](int64_t i) __attribute__((always_inline)) { return weighted(i) * normal(i); };
    float total = sum_of(whole, weighted), projected = sum_of(whole, projection);
    for (int64_t i = whole; i < columns; i++) total += weighted(i), projected += projection(i);
    for (int64_t i = 0; i < columns; i++) of_weight[i] += back[i] * normal(i);
    for (int64_t i = 0; i < columns; i++) of_bias[i] += back[i];
    const float offset = total / columns, slope = projected / columns;
    for (int64_t i = 0; i < columns; i++) to[i] = (weighted(i) - offset - normal(i) * slope) * scale;
  }
}

void forward(TF_OpKernelContext* context) {
  const Input x(context, 0), weight(context, 1), bias(context, 2), epsilon(context, 3);
  const int64_t columns = x.columns();
  require(weight.size() == columns && bias.size() == columns && epsilon.size() == 1, "x [..., dim], weight and bias [dim], epsilon []");
  const Output y(context, 0, x.shape()), stats(context, 1, {x.rows(), 2});
  parallel_for(x.rows(), 32, [&](int64_t begin, int64_t end) {
    normalise(x.data(), weight.data(), bias.data(), *epsilon.data(), y.data(), stats.data(), columns, begin, end);
  });
}

void backward(TF_OpKernelContext* context) {
  const Input dy(context, 0), x(context, 1), weight(context, 2), stats(context, 3);
  const int64_t rows = x.rows(), columns = x.columns();
  require(dy.size() == x.size() && weight.size() == columns && stats.size() == 2 * rows, "dy and x alike, weight [dim], stats [rows, 2]");
  const Output dx(context, 0, x.shape()), d_weight(context, 1, weight.shape()), d_bias(context, 2, weight.shape());
  const auto run = [&](int64_t begin, int64_t end, float* sums) {
    differentiate(dy.data(), x.data(), weight.data(), stats.data(), dx.data(), sums, columns, begin, end);
  };
  sum_rows(rows, 2 * columns, run, [&](int64_t column, float total) {
    (column < columns ? d_weight.data()[column] : d_bias.data()[column - columns]) = total;
  });
}

}  // namespace

void register_norm() {
  register_operation("RfLayerNorm", {"x", "weight", "bias", "epsilon"}, {"y", "stats"}, guarded_kernel<forward>);
  register_operation("RfLayerNormGrad", {"dy", "x", "weight", "stats"}, {"dx", "dweight", "dbias"}, guarded_kernel<backward>);
}
