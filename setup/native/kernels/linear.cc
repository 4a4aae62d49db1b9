// Products of float matrices as operations, and affine maps.

#include <numeric>

#include "kernel.h"
#include "kernels.h"
#include "product.h"

namespace {

constexpr const char* kShapes = "a [..., rows, inner] and b [inner, columns], or as many matrices in both or one in a; start [columns] for each";

/** How the two inputs lie in memory: as they are, or transposed. */
enum Order { kPlain, kLeftTransposed, kRightTransposed };

/** `affine`: numbers begin with those of a third input, one a column. */
template <Order order, bool affine = false, Activation after = Activation::kNone>
void compute(TF_OpKernelContext* context) {
  const Input a(context, 0), b(context, 1);
  std::vector<int64_t> shape = a.shape();
  const std::vector<int64_t> other = b.shape();
  require(shape.size() >= 2 && other.size() >= 2, kShapes);
  const bool batched = other.size() > 2;
  require(!batched || shape.size() == other.size(), kShapes);
  require(batched || order != kLeftTransposed || shape.size() == 2, kShapes);
  const auto product_of = [&](size_t axes) { return std::accumulate(shape.begin(), shape.begin() + axes, int64_t{1}, std::multiplies<>()); };
  const int64_t lefts = batched ? product_of(shape.size() - 2) : 1;
  if (batched) std::copy(other.begin(), other.end() - 2, shape.begin());
  const int64_t count = batched ? product_of(shape.size() - 2) : 1;
  require(lefts == 1 || lefts == count, kShapes);
  const int64_t last = shape.back(), inner = order == kLeftTransposed ? shape[shape.size() - 2] : last;
  const int64_t rows = order == kLeftTransposed ? last : batched ? shape[shape.size() - 2] : product_of(shape.size() - 1);
  const int64_t from = other[other.size() - 2], to = other.back();
  const int64_t columns = order == kRightTransposed ? from : to;
  require((order == kRightTransposed ? to : from) == inner, kShapes);
  if (order == kLeftTransposed) shape[shape.size() - 2] = rows;
  shape.back() = columns;
  const Output c(context, 0, shape);
  const Input bias(context, affine ? 2 : 1);
  require(!affine || bias.size() == count * columns, kShapes);
  const auto run = [&](int64_t i, auto by) {
    const Matrix plain_a{a.data() + (lefts == 1 ? 0 : i) * rows * inner, last, 1}, plain_b{b.data() + i * inner * columns, to, 1};
    const Around around{affine ? bias.data() + i * columns : nullptr, false, after};
    by(order == kLeftTransposed ? plain_a.transposed() : plain_a, order == kRightTransposed ? plain_b.transposed() : plain_b,
       c.data() + i * rows * columns, columns, Extent{rows, columns, inner}, around);
  };
  if (count < thread_count()) {
    for (int64_t i = 0; i < count; i++) run(i, multiply_shared);
    return;
  }
  parallel_for(count, 1 + (1 << 18) / (rows * columns * inner + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) run(i, multiply);
  });
}

}  // namespace

void register_linear() {
  register_operation("RfProduct", {"a", "b"}, {"c"}, guarded_kernel<compute<kPlain>>);
  register_operation("RfProductLeft", {"a", "b"}, {"c"}, guarded_kernel<compute<kLeftTransposed>>);
  register_operation("RfProductRight", {"a", "b"}, {"c"}, guarded_kernel<compute<kRightTransposed>>);
  register_operation("RfLinear", {"x", "weight", "bias"}, {"y"}, guarded_kernel<compute<kPlain, true>>);
  register_operation("RfLinearGelu", {"x", "weight", "bias"}, {"y"}, guarded_kernel<compute<kPlain, true, Activation::kGelu>>);
  register_operation("RfLinearRelu", {"x", "weight", "bias"}, {"y"}, guarded_kernel<compute<kPlain, true, Activation::kRelu>>);
}
