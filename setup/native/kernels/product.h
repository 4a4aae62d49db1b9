// Products of matrices of floats. Every number of a product is one chain of fused multiply-adds in the order of the inner axis, so the bytes
// depend neither on the processor nor on how the work is cut and shared out.

#pragma once

#include <cstdint>

/** A matrix in memory: its number at (i, j) is data[i * row + j * column]; one of the two is 1. */
struct Matrix {
  const float* data;
  int64_t row, column;

  Matrix transposed() const { return {data, column, row}; }
  Matrix from(int64_t i, int64_t j) const { return {data + i * row + j * column, row, column}; }
};

/** How large a product is: [rows, inner] by [inner, columns]. */
struct Extent {
  int64_t rows, columns, inner;
};

/** Whether this processor has what products are made of; without, nothing here may be called. */
bool has_products();

enum class Activation { kNone, kRelu, kGelu };

/** What a product's numbers begin with: `start` (null: zero) for each column, or what is in the result already; and what they end with. */
struct Around {
  const float* start = nullptr;
  bool adds = false;
  Activation end = Activation::kNone;
};

/** c[i * stride + j] = sum over p of a(i, p) b(p, j), by this thread alone. */
void multiply(const Matrix& a, const Matrix& b, float* c, int64_t stride, const Extent& extent, const Around& around = {});

/** The same on all threads. */
void multiply_shared(const Matrix& a, const Matrix& b, float* c, int64_t stride, const Extent& extent, const Around& around = {});
