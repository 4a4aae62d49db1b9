// The row-wise parts of attention: softmax of the scores, and the way back through it.

#include <limits>

#include "kernel.h"
#include "kernels.h"
#include "lanes.h"
#include "parallel.h"

namespace {

FOR_EACH_PROCESSOR void softmax(const float* scores, float* probabilities, int64_t columns, int64_t begin, int64_t end) {
  const int64_t whole = columns / kLanes * kLanes, rest = columns - whole;
  for (int64_t row = begin; row < end; row++) {
    const float* from = scores + row * columns;
    float* to = probabilities + row * columns;
    Lanes largest = all(-std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < whole; i += kLanes) {
      const Lanes x = load(from + i);
      largest = select(x > largest, x, largest);
    }
    float top = most(largest);
    for (int64_t i = whole; i < columns; i++) top = from[i] > top ? from[i] : top;
    Lanes total = {};
    for (int64_t i = 0; i < whole; i += kLanes) {
      const Lanes e = exponential(load(from + i) - top);
      total += e;
      store(to + i, e);
    }
    float all_total = sum(total);
    if (rest > 0) {
      const Lanes e = exponential(load_some(from + whole, rest) - top);
      store_some(to + whole, e, rest);
      for (int64_t i = whole; i < columns; i++) all_total += to[i];
    }
    const float scale = 1.0f / all_total;
    for (int64_t i = 0; i < whole; i += kLanes) store(to + i, load(to + i) * scale);
    for (int64_t i = whole; i < columns; i++) to[i] *= scale;
  }
}

/** dots: of each row, the sum of its probabilities times their gradients. */
FOR_EACH_PROCESSOR void differentiate(const float* probabilities, const float* gradients, const float* dots, float* d_scores,
                                      int64_t columns, int64_t begin, int64_t end) {
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * columns;
    const float dot = dots[row];
    for (int64_t i = at; i < at + whole; i += kLanes) store(d_scores + i, load(probabilities + i) * (load(gradients + i) - dot));
    for (int64_t i = at + whole; i < at + columns; i++) d_scores[i] = probabilities[i] * (gradients[i] - dot);
  }
}

void forward(TF_OpKernelContext* context) {
  const Output probabilities = Output::over(context, 0);
  const Input scores(context, 0);
  const int64_t columns = scores.columns();
  parallel_for(scores.rows(), 16 + 16384 / (columns + 1), [&](int64_t begin, int64_t end) {
    softmax(scores.data(), probabilities.data(), columns, begin, end);
  });
}

void backward(TF_OpKernelContext* context) {
  const Input probabilities(context, 0), gradients(context, 1), dots(context, 2);
  const int64_t columns = probabilities.columns();
  require(gradients.size() == probabilities.size() && dots.size() == probabilities.rows(), "probabilities and gradients alike, a dot a row");
  const Output d_scores(context, 0, probabilities.shape());
  parallel_for(probabilities.rows(), 16 + 32768 / (columns + 1), [&](int64_t begin, int64_t end) {
    differentiate(probabilities.data(), gradients.data(), dots.data(), d_scores.data(), columns, begin, end);
  });
}

}  // namespace

void register_attention() {
  register_operation("RfSoftmax", {"scores"}, {"probabilities"}, guarded_kernel<forward>);
  register_operation("RfSoftmaxGrad", {"probabilities", "gradients", "dots"}, {"dscores"}, guarded_kernel<backward>);
}
