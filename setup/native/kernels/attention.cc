// Multi-head scaled dot-product attention, and the way back. Scores exist for some rows of one head at a time, in the cache of the thread
// that computes them.

#include <cmath>

#include "kernel.h"
#include "kernels.h"
#include "parallel.h"
#include "product.h"
#include "scratch.h"
#include "softmax.h"

namespace {

constexpr int64_t kRows = 192; // of the scores at a time; never by the number of threads, or sums would depend on it

/** softmax(scale * scores) of some rows, in their place; a row has padded(columns) in memory. */
FOR_EACH_PROCESSOR void softmax(float* scores, float scale, int64_t rows, int64_t columns) {
  const int64_t stride = padded(columns);
  for (float* row = scores; row < scores + rows * stride; row += stride) {
    const float factor = softmax_row(row, scale, row, columns);
    for (int64_t i = 0; i < stride; i++) row[i] *= factor;
  }
}

/** The gradients of scores, in the place of those of the probabilities; rows as above. out, dy: what the rows have attended to, [rows, channels]. */
FOR_EACH_PROCESSOR void differentiate(const float* probabilities, float* gradients, const float* out, const float* dy, int64_t stride,
                                      float scale, int64_t rows, int64_t columns, int64_t channels) {
  for (int64_t row = 0; row < rows; row++, out += stride, dy += stride, probabilities += padded(columns), gradients += padded(columns)) {
    // The sum over keys of probabilities times their gradients equals that over channels of dy times out.
    Lanes products = {};
    over_columns(channels, [&](int64_t i, int64_t count) __attribute__((always_inline)) { products += part(out + i, count) * part(dy + i, count); });
    const float dot = sum(products);
    for (int64_t i = 0; i < columns; i++) gradients[i] = probabilities[i] * (gradients[i] - dot) * scale;
  }
}

/** [sequences, tokens, heads * channels]: queries, and keys and values, of which there may be other numbers. */
struct Sizes {
  int64_t sequences, queries, keys, dim, heads;

  Sizes(const Input& q, const Input& k, const Input& v, const Input& heads_of) {
    const char* shapes = "q [sequences, queries, dim], k and v [sequences, keys, dim], heads []";
    const std::vector<int64_t> shape = q.shape(), other = k.shape();
    require(shape.size() == 3 && other.size() == 3 && v.shape() == other && heads_of.size() == 1, shapes);
    sequences = shape[0], queries = shape[1], dim = shape[2], keys = other[1];
    require(other[0] == sequences && other[2] == dim, shapes);
    heads = static_cast<int64_t>(*heads_of.data());
    require(heads > 0 && dim % heads == 0, shapes);
  }

  int64_t channels() const { return dim / heads; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(channels())); }
  /** Parts of the queries of one head. */
  int64_t parts() const { return (queries + kRows - 1) / kRows; }
};

/** Some queries of one head, and its keys: where they begin in [sequences, tokens, dim]. */
struct Part {
  int64_t query, key, rows;

  Part(const Sizes& sizes, int64_t head, int64_t part) {
    const int64_t sequence = head / sizes.heads, first = sizes.queries * part / sizes.parts();
    rows = sizes.queries * (part + 1) / sizes.parts() - first;
    query = (sequence * sizes.queries + first) * sizes.dim + head % sizes.heads * sizes.channels();
    key = sequence * sizes.keys * sizes.dim + head % sizes.heads * sizes.channels();
  }
};

/** Probabilities of a part, [rows, padded(keys)]. */
void attend(const Sizes& sizes, const Part& part, const float* q, const float* k, float* probabilities) {
  const Matrix query{q + part.query, sizes.dim, 1}, key{k + part.key, sizes.dim, 1};
  multiply(query, key.transposed(), probabilities, padded(sizes.keys), {part.rows, sizes.keys, sizes.channels()});
  softmax(probabilities, sizes.scale(), part.rows, sizes.keys);
}

void forward(TF_OpKernelContext* context) {
  const Input q(context, 0), k(context, 1), v(context, 2), heads(context, 3);
  const Sizes sizes(q, k, v, heads);
  const Output out(context, 0, q.shape());
  parallel_for(sizes.sequences * sizes.heads * sizes.parts(), 1, [&](int64_t begin, int64_t end) {
    static thread_local Scratch memory;
    float* probabilities = memory.of(kRows * padded(sizes.keys));
    for (int64_t i = begin; i < end; i++) {
      const Part part(sizes, i / sizes.parts(), i % sizes.parts());
      attend(sizes, part, q.data(), k.data(), probabilities);
      multiply({probabilities, padded(sizes.keys), 1}, {v.data() + part.key, sizes.dim, 1}, out.data() + part.query, sizes.dim,
               {part.rows, sizes.channels(), sizes.keys});
    }
  });
}

/** A head at a time, so that sums over its queries are taken in their order. */
void backward(TF_OpKernelContext* context) {
  const Input q(context, 0), k(context, 1), v(context, 2), heads(context, 3), out(context, 4), dy(context, 5);
  const Sizes sizes(q, k, v, heads);
  require(out.size() == q.size() && dy.size() == q.size(), "out and dy as q");
  const Output dq(context, 0, q.shape()), dk(context, 1, k.shape()), dv(context, 2, v.shape());
  const int64_t dim = sizes.dim, keys = sizes.keys, stride = padded(keys), channels = sizes.channels();
  parallel_for(sizes.sequences * sizes.heads, 1, [&](int64_t begin, int64_t end) {
    static thread_local Scratch memory;
    float *probabilities = memory.of(2 * kRows * stride), *gradients = probabilities + kRows * stride;
    for (int64_t i = begin * sizes.parts(); i < end * sizes.parts(); i++) {
      const Part part(sizes, i / sizes.parts(), i % sizes.parts());
      const Matrix p{probabilities, stride, 1}, d{gradients, stride, 1}, d_out{dy.data() + part.query, dim, 1};
      const Matrix query{q.data() + part.query, dim, 1}, key{k.data() + part.key, dim, 1}, value{v.data() + part.key, dim, 1};
      const Around sums{nullptr, i % sizes.parts() > 0};
      attend(sizes, part, q.data(), k.data(), probabilities);
      multiply(p.transposed(), d_out, dv.data() + part.key, dim, {keys, channels, part.rows}, sums);
      multiply(d_out, value.transposed(), gradients, stride, {part.rows, keys, channels});
      differentiate(probabilities, gradients, out.data() + part.query, d_out.data, dim, sizes.scale(), part.rows, keys,
                    channels);
      multiply(d, key, dq.data() + part.query, dim, {part.rows, channels, keys});
      multiply(d.transposed(), query, dk.data() + part.key, dim, {keys, channels, part.rows}, sums);
    }
  });
}

}  // namespace

void register_attention() {
  register_operation("RfAttention", {"q", "k", "v", "heads"}, {"out"}, guarded_kernel<forward>);
  register_operation("RfAttentionGrad", {"q", "k", "v", "heads", "out", "dy"}, {"dq", "dk", "dv"}, guarded_kernel<backward>);
}
