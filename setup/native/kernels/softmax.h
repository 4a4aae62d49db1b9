// The softmax of a row of scores, of floats or of bfloat16; it is computed in float.

#pragma once

#include <limits>

#include "bf16.h"

/**
 * Writes e^(scale * score - the largest of them) to `row`, which may be where the scores are. Gives the factor that makes the sum of all 1.
 */
template <typename T>
INLINE float softmax_row(const T* scores, float scale, float* row, int64_t columns) {
  const int64_t whole = columns / kLanes * kLanes, rest = columns - whole;
  Lanes largest = all(-std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Lanes x = load(scores + i) * scale;
    store(row + i, x);
    largest = select(x > largest, x, largest);
  }
  if (rest > 0) store_some(row + whole, load_some(scores + whole, rest) * scale, rest);
  float top = most(largest);
  for (int64_t i = whole; i < columns; i++) top = row[i] > top ? row[i] : top;
  Lanes total = {};
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Lanes e = exponential(load(row + i) - top);
    total += e;
    store(row + i, e);
  }
  float all_total = sum(total);
  if (rest > 0) {
    store_some(row + whole, exponential(load_some(row + whole, rest) - top), rest);
    for (int64_t i = whole; i < columns; i++) all_total += row[i];
  }
  return 1.0f / all_total;
}
