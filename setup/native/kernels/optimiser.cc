// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019) and the moving average of a weight, each in one pass over memory: the same
// operations in the same order as TensorFlow's own, so the same bytes.

#include <cmath>
#include <functional>

#include "kernel.h"
#include "kernels.h"
#include "lanes.h"
#include "parallel.h"

namespace {

/** What gradient and weight are multiplied by first, learning rate, 1 - beta1, 1 - beta2, epsilon. */
struct Numbers {
  float clip, decay, rate, first, second, epsilon;
};

FOR_EACH_PROCESSOR void update(const float* weight, const float* gradient, const Numbers& n, float* first, float* second, float* updated,
                               int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const float g = gradient[i] * n.clip;
    const float m = first[i] + (g - first[i]) * n.first;
    const float v = second[i] + (g * g - second[i]) * n.second;
    const float w = weight[i] * n.decay - (m * n.rate) / (std::sqrt(v) + n.epsilon);
    first[i] = m;
    second[i] = v;
    updated[i] = w;
  }
}

FOR_EACH_PROCESSOR void move(const float* weight, float rate, float* average, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) average[i] -= (average[i] - weight[i]) * rate;
}

/** Calls `work(begin, end)` for parts of `size` numbers. */
void in_parts(int64_t size, const std::function<void(int64_t, int64_t)>& work) {
  parallel_for((size + kLanes - 1) / kLanes, 1024,
               [&](int64_t begin, int64_t end) { work(begin * kLanes, end * kLanes < size ? end * kLanes : size); });
}

void update_weight(TF_OpKernelContext* context) {
  const Input weight(context, 0), gradient(context, 1), numbers(context, 2);
  const InPlace first(context, 3), second(context, 4);
  const int64_t size = weight.size();
  require(numbers.size() == 6 && gradient.size() == size && first.size() == size && second.size() == size, "all of the weight's shape");
  const float* n = numbers.data();
  const Numbers all_numbers = {n[0], n[1], n[2], n[3], n[4], n[5]};
  const Output updated(context, 0, weight.shape());
  in_parts(size, [&](int64_t begin, int64_t end) {
    update(weight.data(), gradient.data(), all_numbers, first.memory(), second.memory(), updated.data(), begin, end);
  });
}

void move_average(TF_OpKernelContext* context) {
  const InPlace average(context, 0);
  const Input weight(context, 1), rate(context, 2);
  require(average.size() == weight.size() && rate.size() == 1, "the average has the weight's shape, rate []");
  in_parts(weight.size(), [&](int64_t begin, int64_t end) { move(weight.data(), *rate.data(), average.memory(), begin, end); });
}

}  // namespace

void register_optimiser() {
  register_operation("RfAdamW", {"weight", "gradient", "numbers", "first", "second"}, {"updated"}, guarded_kernel<update_weight>, true);
  register_operation("RfMoveAverage", {"average", "weight", "rate"}, {}, guarded_kernel<move_average>, true);
}
