// Sampling of deformable attention (Deformable DETR, Zhu et al., 2021): weighted sums of bilinear samples with zeros beyond the border.

#include <cmath>
#include <limits>
#include <vector>

#include "kernel.h"
#include "kernels.h"
#include "lanes.h"
#include "parallel.h"

namespace {

struct Level {
  int64_t height, width, start; // cells, and the first one's token
};

struct Shape {
  int64_t batch, tokens, dim, queries, heads, points, channels;
  std::vector<Level> levels;
};

/** What a sample reads: its four cells (top left, top right, bottom left, bottom right; -1 beyond the border) and their shares. */
struct Corners {
  int64_t cells[4];
  float shares[4];
  float fx, fy;
};

/** False where the point lies a whole cell or more outside. A place that is no number makes the sample none. */
INLINE bool find_corners(const Level& level, const float* place, Corners* corners) {
  float x = place[0] * level.width - 0.5f, y = place[1] * level.height - 0.5f;
  const bool is_number = x == x && y == y;
  if (!is_number) x = y = 0;
  if (!(x >= -1 && x < level.width && y >= -1 && y < level.height)) return false;
  const float left = std::floor(x), top = std::floor(y);
  const float fx = is_number ? x - left : std::numeric_limits<float>::quiet_NaN(), fy = is_number ? y - top : fx;
  const int64_t column = left, row = top;
  for (int i = 0; i < 4; i++) {
    const int64_t at_column = column + (i & 1), at_row = row + (i >> 1);
    const bool inside = at_column >= 0 && at_column < level.width && at_row >= 0 && at_row < level.height;
    corners->cells[i] = inside ? level.start + at_row * level.width + at_column : -1;
    corners->shares[i] = (i >> 1 ? fy : 1 - fy) * (i & 1 ? fx : 1 - fx);
  }
  corners->fx = fx;
  corners->fy = fy;
  return true;
}

INLINE void add_times(const float* from, float factor, float* to, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + load(from + i) * factor);
  for (; i < count; i++) to[i] += from[i] * factor;
}

INLINE float dot(const float* a, const float* b, int64_t count) {
  Lanes total = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) total += load(a + i) * load(b + i);
  float rest = sum(total);
  for (; i < count; i++) rest += a[i] * b[i];
  return rest;
}

/** Queries `begin` to `end` of the whole batch. */
FOR_EACH_PROCESSOR void sample(const Shape& shape, const float* value, const float* places, const float* shares, float* out, int64_t begin,
                               int64_t end) {
  const int64_t levels = shape.levels.size();
  Corners corners;
  for (int64_t query = begin; query < end; query++) {
    const float* image = value + query / shape.queries * shape.tokens * shape.dim;
    for (int64_t head = 0; head < shape.heads; head++) {
      float* to = out + query * shape.dim + head * shape.channels;
      for (int64_t i = 0; i < shape.channels; i++) to[i] = 0;
      int64_t at = (query * shape.heads + head) * levels * shape.points;
      for (const Level& level : shape.levels)
        for (int64_t point = 0; point < shape.points; point++, at++) {
          if (!find_corners(level, places + 2 * at, &corners)) continue;
          for (int i = 0; i < 4; i++)
            if (corners.cells[i] >= 0)
              add_times(image + corners.cells[i] * shape.dim + head * shape.channels, corners.shares[i] * shares[at], to, shape.channels);
        }
    }
  }
}

/** Heads `begin` to `end` of the whole batch: no two write to the same numbers, and each goes through its queries in order. */
FOR_EACH_PROCESSOR void differentiate(const Shape& shape, const float* value, const float* places, const float* shares, const float* dy,
                                      float* d_value, float* d_places, float* d_shares, int64_t begin, int64_t end) {
  const int64_t levels = shape.levels.size();
  Corners corners;
  for (int64_t one = begin; one < end; one++) {
    const int64_t image = one / shape.heads, head = one % shape.heads;
    const int64_t offset = image * shape.tokens * shape.dim + head * shape.channels;
    for (int64_t token = 0; token < shape.tokens; token++)
      for (int64_t i = 0; i < shape.channels; i++) d_value[offset + token * shape.dim + i] = 0;
    for (int64_t query = image * shape.queries; query < (image + 1) * shape.queries; query++) {
      const float* back = dy + query * shape.dim + head * shape.channels;
      int64_t at = (query * shape.heads + head) * levels * shape.points;
      for (const Level& level : shape.levels)
        for (int64_t point = 0; point < shape.points; point++, at++) {
          float dots[4] = {0, 0, 0, 0};
          if (!find_corners(level, places + 2 * at, &corners)) {
            d_places[2 * at] = d_places[2 * at + 1] = d_shares[at] = 0;
            continue;
          }
          for (int i = 0; i < 4; i++) {
            if (corners.cells[i] < 0) continue;
            const int64_t cell = offset + corners.cells[i] * shape.dim;
            dots[i] = dot(value + cell, back, shape.channels);
            add_times(back, corners.shares[i] * shares[at], d_value + cell, shape.channels);
          }
          float weighted = 0;
          for (int i = 0; i < 4; i++) weighted += corners.shares[i] * dots[i];
          d_shares[at] = weighted;
          const float top = dots[1] - dots[0], bottom = dots[3] - dots[2], left = dots[2] - dots[0], right = dots[3] - dots[1];
          d_places[2 * at] = (top + (bottom - top) * corners.fy) * shares[at] * level.width;
          d_places[2 * at + 1] = (left + (right - left) * corners.fx) * shares[at] * level.height;
        }
    }
  }
}

/** value [batch, tokens, dim], places [batch, queries, heads, levels, points, 2], shares [batch, queries, heads, levels * points], sizes [levels, 2]. */
Shape shape_of(const Input& value, const Input& places, const Input& shares, const Input& sizes) {
  const std::vector<int64_t> v = value.shape(), p = places.shape();
  require(v.size() == 3 && p.size() == 6 && p[5] == 2 && p[0] == v[0] && p[2] > 0 && v[2] % p[2] == 0, "value [batch, tokens, dim], places [batch, queries, heads, levels, points, 2]");
  require(shares.size() * 2 == places.size() && sizes.size() == 2 * p[3], "shares [batch, queries, heads, levels * points], sizes [levels, 2]");
  Shape shape = {v[0], v[1], v[2], p[1], p[2], p[4], v[2] / p[2], {}};
  int64_t start = 0;
  for (int64_t level = 0; level < p[3]; level++) {
    const int64_t height = sizes.data()[2 * level], width = sizes.data()[2 * level + 1];
    require(height > 0 && width > 0 && start + height * width <= shape.tokens, "the maps have no more cells than there are tokens");
    shape.levels.push_back({height, width, start});
    start += height * width;
  }
  return shape;
}

void forward(TF_OpKernelContext* context) {
  const Input value(context, 0), places(context, 1), shares(context, 2), sizes(context, 3);
  const Shape shape = shape_of(value, places, shares, sizes);
  const Output out(context, 0, {shape.batch, shape.queries, shape.dim});
  parallel_for(shape.batch * shape.queries, 32, [&](int64_t begin, int64_t end) {
    sample(shape, value.data(), places.data(), shares.data(), out.data(), begin, end);
  });
}

void backward(TF_OpKernelContext* context) {
  const Input value(context, 0), places(context, 1), shares(context, 2), sizes(context, 3), dy(context, 4);
  const Shape shape = shape_of(value, places, shares, sizes);
  require(dy.size() == shape.batch * shape.queries * shape.dim, "dy [batch, queries, dim]");
  const Output d_value(context, 0, value.shape()), d_places(context, 1, places.shape()), d_shares(context, 2, shares.shape());
  parallel_for(shape.batch * shape.heads, 1, [&](int64_t begin, int64_t end) {
    differentiate(shape, value.data(), places.data(), shares.data(), dy.data(), d_value.data(), d_places.data(), d_shares.data(), begin, end);
  });
}

}  // namespace

void register_deformable() {
  const std::vector<std::string> inputs = {"value", "places", "shares", "sizes"};
  register_operation("RfDeformable", inputs, {"out"}, guarded_kernel<forward>);
  register_operation("RfDeformableGrad", {"value", "places", "shares", "sizes", "dy"}, {"dvalue", "dplaces", "dshares"},
                     guarded_kernel<backward>);
}
