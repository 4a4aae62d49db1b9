// The softmax of a row of scores, of floats or of bfloat16; it is computed in float.

#pragma once

#include <algorithm>
#include <limits>

#include "bf16.h"

/** Numbers that a row has room for in memory, so that its last ones are taken as many at a time as the others. */
INLINE int64_t padded(int64_t columns) { return (columns + kLanes - 1) / kLanes * kLanes; }

/** A whole number for each float, in their order, as the largest of whole numbers is found in any order; and back. NaN is at either end. */
INLINE int32_t ordered(int32_t bits) { return bits ^ (bits >> 31 & 0x7fffffff); }

/**
 * Writes e^(scale * score - the largest of them) to `row`, which has room for the padded columns, and zeros behind them; it may be where the scores
 * are. Gives the factor that makes the sum of all 1.
 */
template <typename T>
INLINE float softmax_row(const T* scores, float scale, float* row, int64_t columns) {
  int32_t largest = std::numeric_limits<int32_t>::min();
  for (int64_t i = 0; i < columns; i++) {
    row[i] = number(scores[i]) * scale;
    largest = std::max(largest, ordered(bits_of(row[i])));
  }
  std::fill(row + columns, row + padded(columns), -std::numeric_limits<float>::infinity());
  const float top = of_bits(ordered(largest));
  for (int64_t i = 0; i < padded(columns); i++) row[i] = exponential(row[i] - top);
  const int64_t whole = columns / kLanes * kLanes;
  float total = sum_of(whole, [=](int64_t i) __attribute__((always_inline)) { return row[i]; });
  for (int64_t i = whole; i < columns; i++) total += row[i];
  return 1.0f / total;
}
