// Moves pixels for the threads that prepare pictures: the loop of src/loading/augment/geometry/pixels.ts, to the bit. It keeps no state, so that
// every thread may use it.

#include "warp.h"

#include <stdlib.h>
#include <string.h>
#include "arguments.h"
#include "processors.h"

enum { BITS = 8, ONE = 1 << BITS, HALF = 1 << (2 * BITS - 1), BLOCK = 128, MOST_MEMORY = 1 << 28 };

typedef struct {
  const uint8_t* data;
  int width, height;
  size_t stride;
} Padded;

// Where the pixels of a block come from: the upper left one of four in the padded picture, and the weights of those to its right and below.
typedef struct {
  int32_t at[BLOCK], right[BLOCK], below[BLOCK];
} Places;

// The place itself, or the nearest one that has nothing of the picture; so has what is no number.
static double within(double place, double length) {
  const double from = place > -1 ? place : -1;
  return from < length ? from : length;
}

FOR_EACH_PROCESSOR
static void findPlaces(const double* m, int x, double y, Padded picture, Places* to) {
  const double width = picture.width, height = picture.height;
  const double bx = m[1] * y + m[2], by = m[4] * y + m[5], bw = m[7] * y + m[8];
  const int stride = (int)picture.stride;
  double across[BLOCK], down[BLOCK];
  for (int k = 0; k < BLOCK; k++) {
    across[k] = m[0] * (x + k + 0.5) + bx;
    down[k] = m[3] * (x + k + 0.5) + by;
  }
  const int isDivided = m[6] != 0 || bw != 1;
  for (int k = 0; isDivided && k < BLOCK; k++) {
    const double w = m[6] * (x + k + 0.5) + bw;
    across[k] /= w;
    down[k] /= w;
  }
  for (int k = 0; k < BLOCK; k++) {
    const double px = within(across[k] - 0.5, width), py = within(down[k] - 0.5, height);
    int left = (int)px, top = (int)py;
    left -= px < left;
    top -= py < top;
    to->right[k] = (int)((px - left) * ONE + 0.5);
    to->below[k] = (int)((py - top) * ONE + 0.5);
    to->at[k] = (top + 1) * stride + 3 * (left + 1);
  }
}

// Two pixels are read as two numbers of 32 bits, the first byte of which is the lowest, as on all processors that this is compiled for.
FOR_EACH_PROCESSOR
static void blend(const uint8_t* data, size_t stride, const Places* from, uint8_t* out, int length) {
  uint32_t above[2 * BLOCK], under[2 * BLOCK], blended[BLOCK];
  for (int k = 0; k < BLOCK; k++) {
    memcpy(above + 2 * k, data + from->at[k], 8);
    memcpy(under + 2 * k, data + from->at[k] + stride, 8);
  }
  for (int k = 0; k < BLOCK; k++) {
    const uint32_t right = from->right[k], left = ONE - right, down = from->below[k], up = ONE - down;
    const uint32_t a = above[2 * k], b = above[2 * k + 1], c = under[2 * k], d = under[2 * k + 1];
    const uint32_t red = ((a & 255) * left + (a >> 24) * right) * up + ((c & 255) * left + (c >> 24) * right) * down;
    const uint32_t green =
        ((a >> 8 & 255) * left + (b & 255) * right) * up + ((c >> 8 & 255) * left + (d & 255) * right) * down;
    const uint32_t blue =
        ((a >> 16 & 255) * left + (b >> 8 & 255) * right) * up + ((c >> 16 & 255) * left + (d >> 8 & 255) * right) * down;
    blended[k] = (red + HALF) >> 16 | ((green + HALF) >> 16) << 8 | ((blue + HALF) >> 16) << 16;
  }
  for (int k = 0; k < length - 1; k++) memcpy(out + 3 * k, blended + k, 4); // the fourth byte is written again
  memcpy(out + 3 * (length - 1), blended + length - 1, 3);
}

// The picture with one more pixel of the colour `fill` around it, and a second one on the right and below.
static uint8_t* padded(const uint8_t* in, int width, int height, const uint8_t* fill, size_t* stride) {
  const size_t row = 3 * (size_t)width, wide = row + 9, memory = wide * ((size_t)height + 3) + 8;
  uint8_t* data = memory > MOST_MEMORY ? NULL : malloc(memory);
  if (data == NULL) return NULL;
  *stride = wide;
  for (size_t i = 0; i < wide; i += 3) memcpy(data + i, fill, 3);
  for (int y = 0; y < height; y++) {
    uint8_t* to = data + (y + 1) * wide;
    memcpy(to, fill, 3);
    memcpy(to + 3, in + y * row, row);
    memcpy(to + 3 + row, data, 6);
  }
  memcpy(data + (height + 1) * wide, data, wide);
  memcpy(data + (height + 2) * wide, data, wide);
  memset(data + memory - 8, 0, 8);
  return data;
}

static int warp(const uint8_t* in, uint8_t* out, int width, int height, const double* matrix, const uint8_t* fill) {
  Padded picture = {NULL, width, height, 0};
  uint8_t* data = padded(in, width, height, fill, &picture.stride);
  if (data == NULL) return 0;
  Places places;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x += BLOCK) {
      const int length = width - x < BLOCK ? width - x : BLOCK;
      findPlaces(matrix, x, y + 0.5, picture, &places);
      blend(data, picture.stride, &places, out + 3 * ((size_t)y * width + x), length);
    }
  free(data);
  return 1;
}

// warp(in: Uint8Array, out: Uint8Array, width, matrix: Float64Array of 9, fill: Uint8Array of 3): false where the sizes do not fit or it takes too much memory.
static napi_value Warp(napi_env env, napi_callback_info info) {
  napi_value arguments[5], result;
  size_t given = 5, length = 0, same = 0, entries = 0, channels = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  uint8_t* out = memoryOf(env, arguments[1], napi_uint8_array, &same);
  const int64_t width = numberOf(env, arguments[2]);
  const double* matrix = memoryOf(env, arguments[3], napi_float64_array, &entries);
  const uint8_t* fill = memoryOf(env, arguments[4], napi_uint8_array, &channels);
  const int fits = width > 0 && width <= MOST_MEMORY && length > 0 && length <= MOST_MEMORY && same == length &&
                   length % (3 * width) == 0 && entries == 9 && channels == 3;
  napi_get_boolean(env, fits && warp(in, out, (int)width, (int)(length / (3 * width)), matrix, fill), &result);
  return result;
}

void addWarpLoops(napi_env env, napi_value exports) {
  addFunction(env, exports, "warp", Warp);
}
