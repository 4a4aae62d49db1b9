// Our kernels: operations that TensorFlow has not, or has as several passes over memory. Each is equal, to rounding, to the plain operations
// of src/ops, which tests compare it with and which take its place where it cannot be had.

#pragma once

#include <cstdint>

void register_norm();
void register_activation();
void register_attention();
void register_residual();
void register_deformable();
void register_optimiser();
void register_affine();
void register_narrow_attention();

/** Make all of them known, once in a process. */
void register_kernels();

/** Sums over rows of `columns` numbers, row by row; `use(column, sum)` takes each. */
template <typename Use>
void add_rows(const float* rows, int64_t count, int64_t columns, Use use) {
  for (int64_t column = 0; column < columns; column++) {
    float total = 0;
    for (int64_t row = 0; row < count; row++) total += rows[row * columns + column];
    use(column, total);
  }
}
