// Softmax of scores in bfloat16, and the way back through it; both compute in float.

#include <vector>

#include "kernel.h"
#include "kernels.h"
#include "parallel.h"
#include "softmax.h"

namespace {

/** softmax(scale * scores), row by row; `row` has room for a padded one. */
FOR_EACH_PROCESSOR void softmax(const Bf16* scores, float scale, Bf16* probabilities, float* row, int64_t columns, int64_t begin,
                                int64_t end) {
  for (int64_t at = begin * columns; at < end * columns; at += columns) {
    const float factor = softmax_row(scores + at, scale, row, columns);
    over_columns(columns, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
      put(probabilities + at + i, part(row + i, count) * factor, count);
    });
  }
}

FOR_EACH_PROCESSOR void differentiate(const Bf16* probabilities, const Bf16* gradients, float scale, Bf16* d_scores, int64_t columns,
                                      int64_t begin, int64_t end) {
  const int64_t whole = columns / kLanes * kLanes, rest = columns - whole;
  for (int64_t at = begin * columns; at < end * columns; at += columns) {
    Lanes products = {};
    for (int64_t i = at; i < at + whole; i += kLanes) products += load(probabilities + i) * load(gradients + i);
    const Lanes p = load_some(probabilities + at + whole, rest), g = load_some(gradients + at + whole, rest);
    const float dot = sum(products + p * g);
    for (int64_t i = at; i < at + whole; i += kLanes)
      store(d_scores + i, load(probabilities + i) * (load(gradients + i) - dot) * scale);
    if (rest > 0) store_some(d_scores + at + whole, p * (g - dot) * scale, rest);
  }
}

void forward(TF_OpKernelContext* context) {
  const Output probabilities = Output::over(context, 0);
  const Input scores(context, 0), scale(context, 1);
  require(scale.size() == 1, "scale []");
  const int64_t columns = scores.columns();
  parallel_for(scores.rows(), 16 + 16384 / (columns + 1), [&](int64_t begin, int64_t end) {
    std::vector<float> row(padded(columns));
    softmax(scores.narrow(), *scale.data(), probabilities.narrow(), row.data(), columns, begin, end);
  });
}

void backward(TF_OpKernelContext* context) {
  const Input probabilities(context, 0), gradients(context, 1), scale(context, 2);
  require(gradients.size() == probabilities.size() && scale.size() == 1, "probabilities and gradients alike, scale []");
  const Output d_scores(context, 0, probabilities.shape(), TF_BFLOAT16);
  const int64_t columns = probabilities.columns();
  parallel_for(probabilities.rows(), 16 + 32768 / (columns + 1), [&](int64_t begin, int64_t end) {
    differentiate(probabilities.narrow(), gradients.narrow(), *scale.data(), d_scores.narrow(), columns, begin, end);
  });
}

}  // namespace

void register_narrow_attention() {
  const std::string probabilities = "probabilities: bfloat16";
  register_operation("RfSoftmaxNarrow", {"scores: bfloat16", "scale"}, {probabilities}, guarded_kernel<forward>);
  register_operation("RfSoftmaxNarrowGrad", {probabilities, "gradients: bfloat16", "scale"}, {"dscores: bfloat16"},
                     guarded_kernel<backward>);
}
