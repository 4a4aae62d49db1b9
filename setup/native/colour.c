// Changes the colours of pictures for the threads that prepare them: the loops of src/loading/augment/colour/loops/loops.ts, to the bit. It keeps no
// state, so that every thread may use it.

#include "colour.h"

#include <stdlib.h>
#include <string.h>
#include "arguments.h"
#include "processors.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAS_WIDE_TABLES
#endif

static uint8_t clamp(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }
static int greyOf(int r, int g, int b) { return (r * 9798 + g * 19235 + b * 3735 + 0x4000) >> 15; }

#ifdef HAS_WIDE_TABLES
// 64 bytes at a time through one table; returns how many bytes are done.
__attribute__((target("avx512bw,avx512vbmi")))
static size_t throughTable(const uint8_t* in, uint8_t* out, size_t length, const uint8_t* table) {
  __m512i parts[4];
  memcpy(parts, table, sizeof parts);
  size_t i = 0;
  for (; i + 64 <= length; i += 64) {
    const __m512i bytes = _mm512_loadu_si512(in + i);
    const __m512i low = _mm512_permutex2var_epi8(parts[0], bytes, parts[1]);
    const __m512i high = _mm512_permutex2var_epi8(parts[2], bytes, parts[3]);
    _mm512_storeu_si512(out + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high));
  }
  return i;
}
#endif

static void throughTables(const uint8_t* in, uint8_t* out, size_t pixels, const uint8_t* tables) {
  size_t done = 0;
#ifdef HAS_WIDE_TABLES
  const int isOne = memcmp(tables, tables + 256, 512) == 0;
  if (isOne && __builtin_cpu_supports("avx512vbmi")) done = throughTable(in, out, 192 * (pixels / 64), tables) / 3;
#endif
  in += 3 * done;
  out += 3 * done;
  for (size_t i = done; i < pixels; i++, in += 3, out += 3) {
    out[0] = tables[in[0]];
    out[1] = tables[256 + in[1]];
    out[2] = tables[512 + in[2]];
  }
}

typedef struct {
  const uint8_t *hue, *saturation, *value;
} Tables;

enum { SHIFT = 12, HALF = 1 << (SHIFT - 1), BLOCK = 256 };

// Pixels of a block, a number each; what is behind the last one is 0.
typedef struct {
  int32_t r[BLOCK], g[BLOCK], b[BLOCK];
} Block;

// Hue in half degrees, saturation and value.
typedef struct {
  int32_t h[BLOCK], s[BLOCK], v[BLOCK];
} HsvBlock;

FOR_EACH_PROCESSOR
static void split(const uint8_t* in, Block* to, int pixels) {
  for (int k = 0; k < pixels; k++) {
    to->r[k] = in[3 * k];
    to->g[k] = in[3 * k + 1];
    to->b[k] = in[3 * k + 2];
  }
}

FOR_EACH_PROCESSOR
static void join(const Block* from, uint8_t* out, int pixels) {
  for (int k = 0; k < pixels; k++) {
    out[3 * k] = from->r[k];
    out[3 * k + 1] = from->g[k];
    out[3 * k + 2] = from->b[k];
  }
}

// A whole number through a whole one that is not 0, rounded; of those below it is exact.
static int quotient(float by, int n) { return (int)(by / n + 0.5f); }

FOR_EACH_PROCESSOR
static void toHsv(const Block* in, HsvBlock* out) {
  for (int k = 0; k < BLOCK; k++) {
    const int r = in->r[k], g = in->g[k], b = in->b[k];
    const int high = r > g ? r : g, most = high > b ? high : b;
    const int deep = r < g ? r : g, spread = most - (deep < b ? deep : b);
    const int ofValue = quotient(255 << SHIFT, most > 0 ? most : 1), ofSpread = quotient(30 << SHIFT, spread > 0 ? spread : 1);
    const int green = b - r + 2 * spread, blue = r - g + 4 * spread, other = most == g ? green : blue;
    const int place = ((most == r ? g - b : other) * ofSpread + HALF) >> SHIFT;
    out->v[k] = most;
    out->s[k] = (spread * ofValue + HALF) >> SHIFT; // 0 where there is no spread, as is the place then
    out->h[k] = place < 0 ? place + 180 : place;
  }
}

static int within30(int n) { return n < 0 ? 0 : n > 30 ? 30 : n; }

// A channel that is so many 30ths of the way from the highest one to the lowest: a quotient by 7650, which this product is for all that there are,
// as what is added is between its error and the least that a quotient is away from the next one.
static int level(int v, int s, int way) { return (int)((float)(v * (7650 - s * way) + 3825) * (1 / 7650.0f) + 6e-5f); }

FOR_EACH_PROCESSOR
static void fromHsv(const HsvBlock* in, Block* out) {
  for (int k = 0; k < BLOCK; k++) {
    const int h = in->h[k], s = in->s[k], v = in->v[k];
    out->r[k] = level(v, s, within30(h < 90 ? h - 30 : 150 - h));
    out->g[k] = level(v, s, within30(h < 60 ? 30 - h : h - 90));
    out->b[k] = level(v, s, within30(h < 120 ? 90 - h : h - 150));
  }
}

FOR_EACH_PROCESSOR
static void turnHue(HsvBlock* block, int by) {
  for (int k = 0; k < BLOCK; k++) {
    const int h = block->h[k] + by;
    block->h[k] = h < 180 ? h : h - 180;
  }
}

// By how much a table turns hues; -1 where it does something else to one.
static int turnOf(const uint8_t* hue) {
  for (int i = 0; i < 180; i++)
    if (hue[i] != (hue[0] + i) % 180) return -1;
  return hue[0];
}

static int changes(const uint8_t* table) {
  for (int i = 0; i < 256; i++)
    if (table[i] != i) return 1;
  return 0;
}

static void throughHsv(const uint8_t* in, uint8_t* out, size_t pixels, Tables tables) {
  Block block = {{0}, {0}, {0}};
  HsvBlock hsv;
  const int turn = turnOf(tables.hue), changed = changes(tables.saturation) || changes(tables.value);
  for (size_t i = 0; i < pixels; i += BLOCK) {
    const int length = pixels - i < BLOCK ? (int)(pixels - i) : BLOCK;
    split(in + 3 * i, &block, length);
    toHsv(&block, &hsv);
    if (turn >= 0) turnHue(&hsv, turn);
    else for (int k = 0; k < BLOCK; k++) hsv.h[k] = tables.hue[hsv.h[k]];
    for (int k = 0; changed && k < BLOCK; k++) {
      if (hsv.s[k] > 0) hsv.s[k] = tables.saturation[hsv.s[k]];
      hsv.v[k] = tables.value[hsv.v[k]];
    }
    fromHsv(&hsv, &block);
    join(&block, out + 3 * i, length);
  }
}

FOR_EACH_PROCESSOR
static void awayFromGrey(Block* block, int factor) {
  for (int k = 0; k < BLOCK; k++) {
    const int r = block->r[k], g = block->g[k], b = block->b[k];
    const int grey = greyOf(r, g, b) * (0x10000 - factor) + 0x8000;
    block->r[k] = clamp((r * factor + grey) >> 16);
    block->g[k] = clamp((g * factor + grey) >> 16);
    block->b[k] = clamp((b * factor + grey) >> 16);
  }
}

static void saturate(const uint8_t* in, uint8_t* out, size_t pixels, int factor) {
  Block block = {{0}, {0}, {0}};
  for (size_t i = 0; i < pixels; i += BLOCK) {
    const int length = pixels - i < BLOCK ? (int)(pixels - i) : BLOCK;
    split(in + 3 * i, &block, length);
    awayFromGrey(&block, factor);
    join(&block, out + 3 * i, length);
  }
}

// Weights of 11 bits, from the middle outwards, by which a row and then a column is summed up; `columns` and `rows` say where the places from
// `radius` before the first to `radius` behind the last one come from.
typedef struct {
  const int32_t *weights, *columns, *rows;
  int radius;
} Bell;

enum { BELL_BITS = 11, MOST_MEMORY = 1 << 28 };

// Sums over pairs of pixels, `k` before and behind each.
FOR_EACH_PROCESSOR
static void weighPixels(const uint8_t* middle, int32_t* sums, size_t length, Bell bell) {
  for (size_t i = 0; i < length; i++) sums[i] = bell.weights[0] * middle[i];
  for (int k = 1; k <= bell.radius; k++) {
    const uint8_t *before = middle - 3 * k, *behind = middle + 3 * k;
    const int32_t weight = bell.weights[k];
    for (size_t i = 0; i < length; i++) sums[i] += weight * (before[i] + behind[i]);
  }
}

FOR_EACH_PROCESSOR
static void addWeighed(const int32_t* one, const int32_t* other, int32_t weight, int32_t* sums, size_t length) {
  for (size_t i = 0; i < length; i++) sums[i] += weight * (one[i] + other[i]);
}

FOR_EACH_PROCESSOR
static void roundSums(const int32_t* sums, uint8_t* out, size_t length) {
  for (size_t i = 0; i < length; i++) out[i] = (sums[i] + (1 << (2 * BELL_BITS - 1))) >> (2 * BELL_BITS);
}

// Rows that are summed up are kept as long as they are needed.
static int blur(const uint8_t* in, uint8_t* out, int width, int height, Bell bell) {
  const int radius = bell.radius, kept = 2 * radius + 1;
  const size_t row = 3 * (size_t)width, memory = (kept + 1) * row * sizeof(int32_t) + row + 6 * (size_t)radius;
  int32_t* sums = memory > MOST_MEMORY ? NULL : malloc(memory);
  if (sums == NULL) return 0;
  int32_t* across = sums + row;
  uint8_t* wide = (uint8_t*)(across + kept * row);
  for (int y = -radius; y < height; y++) {
    const int next = y + radius;
    if (next < height) {
      memcpy(wide + 3 * radius, in + next * row, row);
      for (int i = 0; i < radius; i++) {
        memcpy(wide + 3 * i, in + next * row + 3 * (size_t)bell.columns[i], 3);
        memcpy(wide + 3 * (i + radius + width), in + next * row + 3 * (size_t)bell.columns[i + radius + width], 3);
      }
      weighPixels(wide + 3 * radius, across + next % kept * row, row, bell);
    }
    if (y < 0) continue;
    const int32_t* middle = across + y % kept * row;
    for (size_t i = 0; i < row; i++) sums[i] = bell.weights[0] * middle[i];
    for (int k = 1; k <= radius; k++) {
      const int32_t* above = across + bell.rows[y + radius - k] % kept * row;
      addWeighed(above, across + bell.rows[y + radius + k] % kept * row, bell.weights[k], sums, row);
    }
    roundSums(sums, out + y * row, row);
  }
  free(sums);
  return 1;
}

FOR_EACH_PROCESSOR
static int32_t sumOfGreys(const uint8_t* in, int pixels) {
  int32_t sum = 0;
  for (int i = 0; i < pixels; i++) sum += greyOf(in[3 * i], in[3 * i + 1], in[3 * i + 2]);
  return sum;
}

static int areWithin(const int32_t* places, size_t length, int end) {
  for (size_t i = 0; i < length; i++)
    if (places[i] < 0 || places[i] >= end) return 0;
  return 1;
}

static napi_value Blur(napi_env env, napi_callback_info info) {
  napi_value arguments[5], result;
  size_t given = 5, length = 0, same = 0, weights = 0, columns = 0, rows = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  uint8_t* out = memoryOf(env, arguments[1], napi_uint8_array, &same);
  Bell bell = {memoryOf(env, arguments[2], napi_int32_array, &weights), memoryOf(env, arguments[3], napi_int32_array, &columns),
               memoryOf(env, arguments[4], napi_int32_array, &rows), 0};
  const int isSmall = weights > 0 && weights <= MOST_MEMORY / 4 && columns <= MOST_MEMORY && rows <= MOST_MEMORY;
  bell.radius = isSmall ? (int)weights - 1 : 0;
  const int width = (int)columns - 2 * bell.radius, height = (int)rows - 2 * bell.radius;
  const int fits = isSmall && width > 0 && height > 0 && same == length && length == 3 * (size_t)width * height &&
                   areWithin(bell.columns, columns, width) && areWithin(bell.rows, rows, height);
  napi_get_boolean(env, fits && blur(in, out, width, height, bell), &result);
  return result;
}

static napi_value ThroughTables(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t given = 3, length = 0, same = 0, tables = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  uint8_t* out = memoryOf(env, arguments[1], napi_uint8_array, &same);
  const uint8_t* by = memoryOf(env, arguments[2], napi_uint8_array, &tables);
  if (same == length && tables == 768) throughTables(in, out, length / 3, by);
  return NULL;
}

static napi_value ThroughHsv(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  size_t given = 5, length = 0, same = 0, hue = 0, saturation = 0, value = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  uint8_t* out = memoryOf(env, arguments[1], napi_uint8_array, &same);
  const Tables tables = {memoryOf(env, arguments[2], napi_uint8_array, &hue), memoryOf(env, arguments[3], napi_uint8_array, &saturation),
                         memoryOf(env, arguments[4], napi_uint8_array, &value)};
  if (same == length && hue == 180 && saturation == 256 && value == 256) throughHsv(in, out, length / 3, tables);
  return NULL;
}

static napi_value Saturate(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t given = 3, length = 0, same = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  uint8_t* out = memoryOf(env, arguments[1], napi_uint8_array, &same);
  if (same == length) saturate(in, out, length / 3, numberOf(env, arguments[2]));
  return NULL;
}

static napi_value GreySum(napi_env env, napi_callback_info info) {
  napi_value arguments[1], result;
  size_t given = 1, length = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], napi_uint8_array, &length);
  int64_t sum = 0;
  const size_t pixels = length / 3, most = 1 << 20; // whose sum fits into 32 bits
  for (size_t i = 0; i < pixels; i += most) sum += sumOfGreys(in + 3 * i, (int)(pixels - i < most ? pixels - i : most));
  napi_create_int64(env, sum, &result);
  return result;
}

void addColourLoops(napi_env env, napi_value exports) {
  addFunction(env, exports, "throughTables", ThroughTables);
  addFunction(env, exports, "throughHsv", ThroughHsv);
  addFunction(env, exports, "saturate", Saturate);
  addFunction(env, exports, "greySum", GreySum);
  addFunction(env, exports, "blur", Blur);
}
