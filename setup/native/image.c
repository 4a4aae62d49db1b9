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
#include "warp.h"

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

// Whether pixels stay what they are: each is one of the input, next to the one before.
static int isCopy(Kernel kernel) {
  for (int i = 0; i < kernel.length; i++)
    if (count(kernel, i) != 1 || weights(kernel, i)[0] != 1 << BITS || first(kernel, i) != first(kernel, 0) + i) return 0;
  return 1;
}

static void put(const uint8_t* line, int pixels, int y, Target to) {
  if (to.bytes) memcpy(to.bytes + y * to.step, line, 3 * (size_t)pixels);
  else lookUp(line, pixels, to.table, to.mirror, to.values + y * to.step);
}

static int resize(const uint8_t* in, size_t inStep, Kernel xs, Kernel ys, Target to) {
  if (isCopy(xs) && isCopy(ys)) {
    for (int y = 0; y < ys.length; y++) put(in + first(ys, y) * inStep + 3 * (size_t)first(xs, 0), xs.length, y, to);
    return 1;
  }
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
    put(line, xs.length, y, to);
  }
  free(scratch);
  return 1;
}

// Of no length where it is none: what positions read begins and ends no earlier than for the one before.
static Kernel kernelOf(napi_env env, napi_value rows, napi_value step) {
  size_t length = 0;
  const int64_t numbers = numberOf(env, step);
  Kernel kernel = {memoryOf(env, rows, napi_int32_array, &length), 0, 0};
  if (numbers < 3 || length < (size_t)numbers || length > MOST_MEMORY || length % numbers != 0) return kernel;
  kernel.step = (int)numbers;
  int from = 0, to = 0;
  for (int i = 0; i < (int)(length / numbers); i++) {
    const int next = first(kernel, i), taps = count(kernel, i);
    if (next < from || next > MOST_MEMORY || taps < 1 || taps > kernel.step - 2 || next + taps < to) return kernel;
    from = next;
    to = next + taps;
  }
  kernel.length = (int)(length / numbers);
  return kernel;
}

// Whether so many rows of so many numbers, each of which begins `step` behind the one before, are there.
static int holds(size_t length, int rows, int64_t step, int64_t numbers) {
  return step >= numbers && step <= MOST_MEMORY && (uint64_t)(rows - 1) * step + numbers <= length;
}

// resize(in: Uint8Array, bytesOfARow, xs: Int32Array, xStep, ys: Int32Array, yStep, out: Uint8Array | Float32Array, valuesOfARow,
//   table?: Float32Array, mirror?: 0 | 1): false where it takes too much memory or the sizes do not fit. With a table `out` is of floats.
static napi_value Resize(napi_env env, napi_callback_info info) {
  napi_value arguments[10], result;
  size_t given = 10, length = 0, room = 0, entries = 768;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const int normalised = given == 10;
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  const int64_t inStep = numberOf(env, arguments[1]), outStep = numberOf(env, arguments[7]);
  const Kernel xs = kernelOf(env, arguments[2], arguments[3]), ys = kernelOf(env, arguments[4], arguments[5]);
  void* out = memoryOf(env, arguments[6], normalised ? napi_float32_array : napi_uint8_array, &room);
  Target to = {normalised ? NULL : out, normalised ? out : NULL, NULL, outStep, 0};
  if (normalised) {
    to.table = memoryOf(env, arguments[8], napi_float32_array, &entries);
    to.mirror = numberOf(env, arguments[9]) != 0;
  }
  const int fits = xs.length > 0 && ys.length > 0 && entries == 768 && holds(length, end(ys), inStep, 3 * (int64_t)end(xs)) &&
                   holds(room, ys.length, outStep, 3 * (int64_t)xs.length);
  napi_get_boolean(env, fits && resize(in, inStep, xs, ys, to), &result);
  return result;
}

// release(memory: Uint8Array): its bytes are given back now, and it has none any more, where it is all of an ArrayBuffer.
static napi_value Release(napi_env env, napi_callback_info info) {
  napi_value memory, buffer;
  napi_typedarray_type type;
  size_t given = 1, length = 0, offset = 0, whole = 0;
  void* data = NULL;
  napi_get_cb_info(env, info, &given, &memory, NULL, NULL);
  if (napi_get_typedarray_info(env, memory, &type, &length, NULL, &buffer, &offset) != napi_ok || type != napi_uint8_array) return NULL;
  if (napi_get_arraybuffer_info(env, buffer, &data, &whole) == napi_ok && whole == length) napi_detach_arraybuffer(env, buffer);
  return NULL;
}

NAPI_MODULE_INIT() {
  addFunction(env, exports, "resize", Resize);
  addFunction(env, exports, "release", Release);
  addColourLoops(env, exports);
  addWarpLoops(env, exports);
  return exports;
}
