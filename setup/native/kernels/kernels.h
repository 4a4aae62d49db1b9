// Our kernels: operations that TensorFlow has not, or has as several passes over memory. Each is equal, to rounding, to the plain operations
// of src/ops, which tests compare it with and which take its place where it cannot be had.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "parallel.h"

void register_norm();
void register_activation();
void register_attention();
void register_residual();
void register_deformable();
void register_optimiser();
void register_affine();
void register_narrow_attention();
void register_linear();

/** Make all of them known, once in a process. */
void register_kernels();

/**
 * Sums over many rows, the same whatever the number of threads. `run(begin, end, sums)`: adds what some rows come to to `width` sums of
 * their own, which begin at zero; `use(column, sum)` takes those of all rows.
 */
template <typename Run, typename Use>
void sum_rows(int64_t rows, int64_t width, Run run, Use use) {
  constexpr int64_t kChunk = 64; // never by the number of threads, or sums would depend on it
  const int64_t chunks = (rows + kChunk - 1) / kChunk;
  std::vector<float> sums(chunks * width, 0.0f);
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; chunk++)
      run(chunk * kChunk, std::min(rows, (chunk + 1) * kChunk), &sums[chunk * width]);
  });
  for (int64_t column = 0; column < width; column++) {
    float total = 0;
    for (int64_t chunk = 0; chunk < chunks; chunk++) total += sums[chunk * width + column];
    use(column, total);
  }
}
