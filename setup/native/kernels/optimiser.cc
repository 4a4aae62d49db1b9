// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019) and the moving average, of all weights at once and each in one pass over
// memory: the same operations in the same order as TensorFlow's own, so the same bytes.

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

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

/** Numbers of a tensor that a thread takes at a time. */
constexpr int64_t kPart = 1024 * kLanes;

/** Calls `work(tensor, begin, end)` for parts of tensors of these sizes. */
void in_parts(const std::vector<int64_t>& sizes, const std::function<void(size_t, int64_t, int64_t)>& work) {
  std::vector<std::pair<size_t, int64_t>> parts;
  for (size_t i = 0; i < sizes.size(); i++)
    for (int64_t begin = 0; begin < sizes[i]; begin += kPart) parts.emplace_back(i, begin);
  parallel_for(parts.size(), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const auto [tensor, begin] = parts[i];
      work(tensor, begin, std::min(begin + kPart, sizes[tensor]));
    }
  });
}

/** So many inputs from this one on. */
template <typename Kind>
std::vector<std::unique_ptr<Kind>> list_of(TF_OpKernelContext* context, int first, int count) {
  std::vector<std::unique_ptr<Kind>> list;
  for (int i = 0; i < count; i++) list.push_back(std::make_unique<Kind>(context, first + i));
  return list;
}

void update_weights(TF_OpKernelContext* context) {
  const int count = (TF_NumInputs(context) - 1) / 4;
  const auto weights = list_of<Input>(context, 0, count), gradients = list_of<Input>(context, count, count);
  const auto firsts = list_of<InPlace>(context, 2 * count, count), seconds = list_of<InPlace>(context, 3 * count, count);
  const Input numbers(context, 4 * count);
  require(numbers.size() == 6 * count, "numbers has the shape [weights, 6]");
  std::vector<int64_t> sizes;
  for (int i = 0; i < count; i++) {
    sizes.push_back(weights[i]->size());
    for (const Input* other : {gradients[i].get(), static_cast<Input*>(firsts[i].get()), static_cast<Input*>(seconds[i].get())})
      require(other->size() == sizes[i], "gradient and moments have the weight's shape");
  }
  std::vector<std::unique_ptr<Output>> updated;
  for (int i = 0; i < count; i++) updated.push_back(std::make_unique<Output>(context, i, weights[i]->shape()));
  in_parts(sizes, [&](size_t i, int64_t begin, int64_t end) {
    const float* n = numbers.data() + 6 * i;
    update(weights[i]->data(), gradients[i]->data(), {n[0], n[1], n[2], n[3], n[4], n[5]}, firsts[i]->memory(), seconds[i]->memory(),
           updated[i]->data(), begin, end);
  });
}

void move_averages(TF_OpKernelContext* context) {
  const int count = (TF_NumInputs(context) - 1) / 2;
  const auto averages = list_of<InPlace>(context, 0, count);
  const auto weights = list_of<Input>(context, count, count);
  const Input rate(context, 2 * count);
  require(rate.size() == 1, "rate is one number");
  std::vector<int64_t> sizes;
  for (int i = 0; i < count; i++) {
    sizes.push_back(averages[i]->size());
    require(weights[i]->size() == sizes[i], "the average has the weight's shape");
  }
  in_parts(sizes, [&](size_t i, int64_t begin, int64_t end) {
    move(weights[i]->data(), *rate.data(), averages[i]->memory(), begin, end);
  });
}

}  // namespace

void register_optimiser() {
  const std::string list = ": N * float";
  register_operation("RfAdamW", {"weights" + list, "gradients" + list, "firsts" + list, "seconds" + list, "numbers"}, {"updated" + list},
                     guarded_kernel<update_weights>, true);
  register_operation("RfMoveAverages", {"averages" + list, "weights" + list, "rate"}, {}, guarded_kernel<move_averages>, true);
}
