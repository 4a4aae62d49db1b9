// Blocks in the manner of Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008): a tile of the result is in
// registers, a few rows of the left matrix in the first cache, and a packed block of the right one in the second.

#include "product.h"

#include <algorithm>
#include <cstring>

#include "gelu.h"
#include "parallel.h"
#include "scratch.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define PRODUCTS 1
#endif

namespace {

#ifdef PRODUCTS

constexpr int64_t kInner = 384;   // of the inner axis at a time
constexpr int64_t kAhead = 512;   // numbers of a packed panel that are asked for before they are needed
constexpr int64_t kRowsAhead = 4; // the same for rows that are about to be packed
constexpr int64_t kColumns = 768; // columns of the right matrix at a time: a multiple of every tile's

/**
 * What a tile is computed from: `a` row by row, or, where packed, the tile's rows side by side; `b` packed, the tile's columns side by side;
 * `count` of its columns are the result's. It goes on with what is there where it `adds`, else begins with `start`.
 */
struct Tile {
  const float* a;
  int64_t row; // from one row of a to the next, where it is not packed
  const float* b;
  float* c;
  int64_t stride, inner, count;
  const float* start; // null: zero
  bool adds, relu;
};

#define AVX512 __attribute__((target("avx512f")))
#define AVX2 __attribute__((target("avx2,fma")))

struct Wide {
  static constexpr int64_t kHeight = 12, kWidth = 32;

  template <int rows, bool packed>
  AVX512 static void tile(const Tile& t) {
    const __mmask16 low = t.count >= 16 ? 0xffff : (1u << t.count) - 1;
    const __mmask16 high = t.count >= 32 ? 0xffff : t.count <= 16 ? 0 : (1u << (t.count - 16)) - 1;
    __m512 sums[rows][2];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
      const float* from = t.adds ? t.c + i * t.stride : t.start;
      sums[i][0] = from ? _mm512_maskz_loadu_ps(low, from) : _mm512_setzero_ps();
      sums[i][1] = from ? _mm512_maskz_loadu_ps(high, from + 16) : _mm512_setzero_ps();
    }
    const float* b = t.b;
    const float* a[4];
    for (int i = 0; i < 4; i++) a[i] = t.a + 3 * i * t.row;
    const int64_t row = t.row;
    for (int64_t p = 0; p < t.inner; p++) {
      const __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
#pragma GCC unroll 12
      for (int i = 0; i < rows; i++) {
        const __m512 left = _mm512_set1_ps(packed ? t.a[p * kHeight + i] : a[i / 3][p + (i % 3) * row]);
        sums[i][0] = _mm512_fmadd_ps(left, b0, sums[i][0]);
        sums[i][1] = _mm512_fmadd_ps(left, b1, sums[i][1]);
      }
      __builtin_prefetch(b + kAhead);
      __builtin_prefetch(b + kAhead + 16);
      b += kWidth;
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
      if (t.relu) sums[i][0] = _mm512_max_ps(_mm512_setzero_ps(), sums[i][0]), sums[i][1] = _mm512_max_ps(_mm512_setzero_ps(), sums[i][1]);
      _mm512_mask_storeu_ps(t.c + i * t.stride, low, sums[i][0]);
      _mm512_mask_storeu_ps(t.c + i * t.stride + 16, high, sums[i][1]);
    }
  }
};

struct Narrow {
  static constexpr int64_t kHeight = 6, kWidth = 16;

  AVX2 static __m256i lanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  template <int rows, bool packed>
  AVX2 static void tile(const Tile& t) {
    const __m256i low = lanes(t.count), high = lanes(t.count - 8);
    __m256 sums[rows][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      const float* from = t.adds ? t.c + i * t.stride : t.start;
      sums[i][0] = from ? _mm256_maskload_ps(from, low) : _mm256_setzero_ps();
      sums[i][1] = from ? _mm256_maskload_ps(from + 8, high) : _mm256_setzero_ps();
    }
    const float* b = t.b;
    const float* a[2] = {t.a, t.a + 3 * t.row};
    const int64_t row = t.row;
    for (int64_t p = 0; p < t.inner; p++) {
      const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
      __builtin_prefetch(b + kAhead);
#pragma GCC unroll 6
      for (int i = 0; i < rows; i++) {
        const __m256 left = _mm256_set1_ps(packed ? t.a[p * kHeight + i] : a[i / 3][p + (i % 3) * row]);
        sums[i][0] = _mm256_fmadd_ps(left, b0, sums[i][0]);
        sums[i][1] = _mm256_fmadd_ps(left, b1, sums[i][1]);
      }
      b += kWidth;
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      if (t.relu) sums[i][0] = _mm256_max_ps(_mm256_setzero_ps(), sums[i][0]), sums[i][1] = _mm256_max_ps(_mm256_setzero_ps(), sums[i][1]);
      _mm256_maskstore_ps(t.c + i * t.stride, low, sums[i][0]);
      _mm256_maskstore_ps(t.c + i * t.stride + 8, high, sums[i][1]);
    }
  }
};

template <typename Kind, bool packed, int rows = Kind::kHeight>
void compute(const Tile& tile, int64_t count) {
  if constexpr (rows == 1) Kind::template tile<1, packed>(tile);
  else if (count == rows) Kind::template tile<rows, packed>(tile);
  else compute<Kind, packed, rows - 1>(tile, count);
}

/** Asks memory for `count` numbers of each of some rows, which are needed soon. */
void fetch(const float* from, int64_t row, int64_t rows, int64_t count) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < count; j += 16) __builtin_prefetch(from + i * row + j);
}

/** Eight by eight numbers, of which rows become columns. */
AVX2 void transpose(const float* from, int64_t row, float* to, int64_t to_row) {
  __m256 x[8], y[8];
  for (int i = 0; i < 8; i++) x[i] = _mm256_loadu_ps(from + i * row);
  for (int i = 0; i < 8; i += 2) {
    y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
    y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int half = 0; half < 2; half++) {
      x[i + 2 * half] = _mm256_shuffle_ps(y[i + half], y[i + half + 2], 0x44);
      x[i + 2 * half + 1] = _mm256_shuffle_ps(y[i + half], y[i + half + 2], 0xee);
    }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(to + i * to_row, _mm256_permute2f128_ps(x[i], x[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_row, _mm256_permute2f128_ps(x[i], x[i + 4], 0x31));
  }
}

/**
 * [inner, count] of the matrix in panels of `width` columns: a panel has its columns side by side for each of the inner axis; the last is
 * padded with zeros.
 */
void pack(const Matrix& matrix, float* to, int64_t width, int64_t inner, int64_t count) {
  const int64_t whole = count / width * width, rest = count - whole;
  if (rest) std::memset(to + whole * inner, 0, width * inner * sizeof(float));
  if (matrix.column == 1) {
    for (int64_t p = 0; p < inner; p++) { // row by row: memory is read as it lies
      const float* from = matrix.data + p * matrix.row;
      fetch(from + kRowsAhead * matrix.row, 0, 1, count);
      float* panel = to + p * width;
      for (int64_t j = 0; j < whole; j += width, panel += width * inner) std::memcpy(panel, from + j, width * sizeof(float));
      if (rest) std::memcpy(panel, from + whole, rest * sizeof(float));
    }
    return;
  }
  const auto place = [&](int64_t p, int64_t j) { return to + j / width * width * inner + p * width + j % width; };
  const int64_t columns = count / 8 * 8, rows = inner / 8 * 8;
  for (int64_t j = 0; j < columns; j += 8)
    for (int64_t p = 0; p < rows; p += 8) transpose(matrix.data + j * matrix.column + p, matrix.column, place(p, j), width);
  for (int64_t j = 0; j < count; j++)
    for (int64_t p = j < columns ? rows : 0; p < inner; p++) *place(p, j) = matrix.data[j * matrix.column + p];
}

FOR_EACH_PROCESSOR void activate(float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; i++) numbers[i] = gelu(numbers[i]);
}

template <typename Kind>
void multiply_with(const Matrix& a, const Matrix& b, float* c, int64_t stride, const Extent& extent, const Around& around) {
  static thread_local Scratch left_memory, right_memory;
  const bool packed = a.column != 1;
  const auto [rows, columns, inner] = extent;
  const auto up = [](int64_t n, int64_t of) { return (n + of - 1) / of; };
  const int64_t blocks = std::max<int64_t>(1, up(inner, kInner)), depth = up(inner, blocks);
  float* right = right_memory.of(depth * up(std::min(columns, kColumns), Kind::kWidth) * Kind::kWidth);
  float* left = packed ? left_memory.of(depth * Kind::kHeight) : nullptr;
  for (int64_t j = 0; j < columns; j += kColumns) {
    const int64_t width = std::min(kColumns, columns - j);
    for (int64_t block = 0; block < blocks; block++) {
      const int64_t p = block * depth, now = std::min(depth, inner - p);
      const bool ends = block == blocks - 1;
      pack(b.from(p, j), right, Kind::kWidth, now, width);
      for (int64_t i = 0; i < rows; i += Kind::kHeight) {
        const int64_t height = std::min(Kind::kHeight, rows - i);
        if (packed) pack(a.from(i, p).transposed(), left, Kind::kHeight, now, height);
        for (int64_t y = 0; y < width; y += Kind::kWidth) {
          float* place = c + i * stride + j + y;
          if (y + Kind::kWidth < width) fetch(place + Kind::kWidth, stride, height, Kind::kWidth);
          const Tile tile{packed ? left : a.data + i * a.row + p,
                          a.row,
                          right + y * now,
                          place,
                          stride,
                          now,
                          std::min(Kind::kWidth, width - y),
                          around.start ? around.start + j + y : nullptr,
                          around.adds || block > 0,
                          ends && around.end == Activation::kRelu};
          if (packed) compute<Kind, true>(tile, height);
          else compute<Kind, false>(tile, height);
        }
        if (ends && around.end == Activation::kGelu) // while they are in the cache
          for (int64_t row = i; row < i + height; row++) activate(c + row * stride + j, width);
      }
    }
  }
}

bool has_wide() {
  static const bool has = __builtin_cpu_supports("avx512f");
  return has;
}

#endif

}  // namespace

bool has_products() {
#ifdef PRODUCTS
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
#else
  return false;
#endif
}

void multiply(const Matrix& a, const Matrix& b, float* c, int64_t stride, const Extent& extent, const Around& around) {
#ifdef PRODUCTS
  (has_wide() ? multiply_with<Wide> : multiply_with<Narrow>)(a, b, c, stride, extent, around);
#endif
}

void multiply_shared(const Matrix& a, const Matrix& b, float* c, int64_t stride, const Extent& extent, const Around& around) {
  constexpr int64_t kWidth = 32, kHeight = 48, kLeast = 1 << 18; // of a part: columns, rows; multiplications worth a thread
  const auto [rows, columns, inner] = extent;
  const int64_t wanted = std::min(2 * thread_count(), rows * columns * inner / kLeast);
  // By columns as far as they go: those of the right matrix are then packed once.
  const int64_t across = std::clamp<int64_t>(columns / kWidth, 1, std::max<int64_t>(1, wanted));
  const int64_t down = std::clamp<int64_t>(wanted / across, 1, std::max<int64_t>(1, rows / kHeight));
  const auto edge = [](int64_t part, int64_t parts, int64_t size, int64_t unit) {
    return std::min(size, (size + unit - 1) / unit * part / parts * unit);
  };
  parallel_for(across * down, 1, [&, rows = rows, columns = columns, inner = inner](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; part++) {
      const int64_t j = edge(part % across, across, columns, kWidth), right = edge(part % across + 1, across, columns, kWidth);
      const int64_t i = edge(part / across, down, rows, kHeight), below = edge(part / across + 1, down, rows, kHeight);
      const Around here{around.start ? around.start + j : nullptr, around.adds, around.end};
      multiply(a.from(i, 0), b.from(0, j), c + i * stride + j, stride, {below - i, right - j, inner}, here);
    }
  });
}
