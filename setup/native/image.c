// Resizes pictures for the threads that prepare them: the whole-number arithmetic of src/data/image/resize.ts, to the bit, and the look-up of
// normalised values. It knows nothing of TensorFlow, and keeps no state, so that every thread may use it.

#include <node_api.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "arguments.h"
#include "colour.h"
#include "processors.h"


#define INLINE static inline __attribute__((always_inline))

enum { BITS = 22, TILE = 16, BLOCK = 64, MOST_MEMORY = 1 << 28 };

// For each position of the output: the first input position, how many, and as many weights (`step` numbers a position).
typedef struct {
  const int32_t* rows;
  int step, length;
} Kernel;

static int first(Kernel kernel, int i) { return kernel.rows[(size_t)i * kernel.step]; }
static int count(Kernel kernel, int i) { return kernel.rows[(size_t)i * kernel.step + 1]; }
static const int32_t* weights(Kernel kernel, int i) { return kernel.rows + (size_t)i * kernel.step + 2; }
static int end(Kernel kernel) { return first(kernel, kernel.length - 1) + count(kernel, kernel.length - 1); }

// `out[i]`: the weighted sum of `in[i]`, `in[i + step]`, ... for i < length, which is a constant where this is called.
INLINE void weigh(uint8_t* out, const uint8_t* in, size_t step, const int32_t* weight, int taps, int length) {
  uint32_t sums[BLOCK];
  for (int i = 0; i < length; i++) sums[i] = 1u << (BITS - 1);
  for (int k = 0; k < taps; k++)
    for (int i = 0; i < length; i++) sums[i] += in[k * step + i] * (uint32_t)weight[k];
  for (int i = 0; i < length; i++) out[i] = sums[i] >> BITS; // at most 255: rounding never makes the weights' sum larger by so much
}

// 16 rows of 16 bytes become columns.
INLINE void transpose(const uint8_t* in, size_t inStep, uint8_t* out, size_t outStep) {
#ifdef __SSE2__
  __m128i a[TILE], b[TILE];
  for (int i = 0; i < TILE; i++) a[i] = _mm_loadu_si128((const __m128i*)(in + i * inStep));
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < TILE / 2; i++) {
      b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + TILE / 2]);
      b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + TILE / 2]);
    }
    memcpy(a, b, sizeof a);
  }
  for (int i = 0; i < TILE; i++) _mm_storeu_si128((__m128i*)(out + i * outStep), a[i]);
#else
  for (int i = 0; i < TILE; i++)
    for (int j = 0; j < TILE; j++) out[j * outStep + i] = in[i * inStep + j];
#endif
}

static size_t roundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

// The horizontal pass over `rows` rows: in tiles of 16 rows, transposed, so that it is the same weighted sum as the vertical pass.
// `across` holds 16 bytes for each byte of a row that is read, `done` for each that is made; both rounded up to 16. `out` has room for whole tiles.
FOR_EACH_PROCESSOR
static void horizontal(const uint8_t* in, size_t inStep, int rows, Kernel xs, uint8_t* across, uint8_t* done, uint8_t* out, size_t outStep) {
  const size_t from = 3 * (size_t)first(xs, 0), width = 3 * (size_t)end(xs) - from;
  for (int y = 0; y < rows; y += TILE) {
    const uint8_t* row = in + y * inStep + from;
    const int there = rows - y < TILE ? rows - y : TILE;
    size_t x = 0;
    if (there == TILE)
      for (; x + TILE <= width; x += TILE) transpose(row + x, inStep, across + x * TILE, TILE);
    for (; x < width; x++)
      for (int i = 0; i < there; i++) across[x * TILE + i] = row[i * inStep + x];
    for (int i = 0; i < xs.length; i++) {
      const uint8_t* pixel = across + TILE * (3 * (size_t)first(xs, i) - from);
      for (int c = 0; c < 3; c++)
        weigh(done + TILE * (3 * i + c), pixel + TILE * c, 3 * TILE, weights(xs, i), count(xs, i), TILE);
    }
    for (x = 0; x < 3 * (size_t)xs.length; x += TILE) transpose(done + x * TILE, TILE, out + y * outStep + x, outStep);
  }
}

// The vertical pass of one row. `in` and `out` have room for whole blocks.
FOR_EACH_PROCESSOR
static void vertical(const uint8_t* in, size_t step, const int32_t* weight, int taps, uint8_t* out, size_t length) {
  for (size_t x = 0; x < length; x += BLOCK) weigh(out + x, in + x, step, weight, taps, BLOCK);
}

// `out[c]`: the entry of `table[c]` for each byte of a row of pixels, from right to left where it is mirrored.
static void lookUp(const uint8_t* in, int pixels, const float* table, int mirror, float* out) {
  const int step = mirror ? -3 : 3;
  if (mirror) in += 3 * (pixels - 1);
  for (int x = 0; x < pixels; x++, in += step, out += 3) {
    out[0] = table[in[0]];
    out[1] = table[256 + in[1]];
    out[2] = table[512 + in[2]];
  }
}

typedef struct {
  uint8_t* bytes;
  float* values;
  const float* table;
  size_t step;
  int mirror;
} Target;

static int resize(const uint8_t* in, size_t inStep, Kernel xs, Kernel ys, Target to) {
  const int top = first(ys, 0), rows = end(ys) - top;
  const size_t step = roundUp(3 * (size_t)xs.length, BLOCK);
  const size_t read = roundUp(3 * (size_t)(end(xs) - first(xs, 0)), TILE) * TILE;
  const size_t memory = read + step * TILE + step * roundUp(rows, TILE) + step;
  uint8_t* scratch = memory > MOST_MEMORY ? NULL : malloc(memory);
  if (scratch == NULL) return 0;
  uint8_t *done = scratch + read, *middle = done + step * TILE, *line = middle + step * roundUp(rows, TILE);
  horizontal(in + top * inStep, inStep, rows, xs, scratch, done, middle, step);
  for (int y = 0; y < ys.length; y++) {
    vertical(middle + step * (first(ys, y) - top), step, weights(ys, y), count(ys, y), line, 3 * (size_t)xs.length);
    if (to.bytes) memcpy(to.bytes + y * to.step, line, 3 * (size_t)xs.length);
    else lookUp(line, xs.length, to.table, to.mirror, to.values + y * to.step);
  }
  free(scratch);
  return 1;
}

static Kernel kernelOf(napi_env env, napi_value rows, napi_value step) {
  size_t length = 0;
  Kernel kernel = {memoryOf(env, rows, &length), numberOf(env, step), 0};
  kernel.length = length / kernel.step;
  return kernel;
}

// resize(in: Uint8Array, bytesOfARow, xs: Int32Array, xStep, ys: Int32Array, yStep, out: Uint8Array | Float32Array, valuesOfARow,
//   table?: Float32Array, mirror?: 0 | 1): false where it takes too much memory. With a table `out` is of floats.
static napi_value Resize(napi_env env, napi_callback_info info) {
  napi_value arguments[10], result;
  size_t given = 10, length = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const int normalised = given == 10;
  void* out = memoryOf(env, arguments[6], &length);
  Target to = {normalised ? NULL : out, normalised ? out : NULL, NULL, numberOf(env, arguments[7]), 0};
  if (normalised) {
    to.table = memoryOf(env, arguments[8], &length);
    to.mirror = numberOf(env, arguments[9]) != 0;
  }
  const int ok = resize(memoryOf(env, arguments[0], &length), numberOf(env, arguments[1]), kernelOf(env, arguments[2], arguments[3]),
                        kernelOf(env, arguments[4], arguments[5]), to);
  napi_get_boolean(env, ok, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "resize", NAPI_AUTO_LENGTH, Resize, NULL, &function);
  napi_set_named_property(env, exports, "resize", function);
  addColourLoops(env, exports);
  return exports;
}
