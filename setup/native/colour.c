// Changes the colours of pictures for the threads that prepare them: the loops of src/loading/augment/colour/loops/loops.ts, to the bit. It keeps no
// state, so that every thread may use it.

#include "colour.h"

#include <stdlib.h>
#include <string.h>
#include "arguments.h"
#include "processors.h"

static uint8_t clamp(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }
static int greyOf(int r, int g, int b) { return (r * 9798 + g * 19235 + b * 3735 + 0x4000) >> 15; }

static void throughTables(const uint8_t* in, uint8_t* out, size_t pixels, const uint8_t* tables) {
  for (size_t i = 0; i < pixels; i++, in += 3, out += 3) {
    out[0] = tables[in[0]];
    out[1] = tables[256 + in[1]];
    out[2] = tables[512 + in[2]];
  }
}

typedef struct {
  const uint8_t *hue, *saturation, *value;
} Tables;

enum { SHIFT = 12, HALF = 1 << (SHIFT - 1) };

static void throughHsv(const uint8_t* in, uint8_t* out, size_t pixels, Tables tables) {
  int ofValue[256] = {0}, ofSpread[256] = {0};
  for (int i = 1; i < 256; i++) {
    ofValue[i] = (2 * (255 << SHIFT) + i) / (2 * i); // rounded; there are no halves
    ofSpread[i] = (2 * (30 << SHIFT) + i) / (2 * i);
  }
  // which byte of high, between and low each channel has, in bits, for each sixth of the circle
  enum { HIGH = 0, BETWEEN = 8, LOW = 16 };
  static const uint8_t bytes[6][3] = {
      {HIGH, BETWEEN, LOW}, {BETWEEN, HIGH, LOW}, {LOW, HIGH, BETWEEN}, {LOW, BETWEEN, HIGH}, {BETWEEN, LOW, HIGH}, {HIGH, LOW, BETWEEN}};
  for (size_t i = 0; i < pixels; i++, in += 3, out += 3) {
    const int r = in[0], g = in[1], b = in[2];
    const int high = r > g ? r : g, most = high > b ? high : b;
    const int deep = r < g ? r : g, spread = most - (deep < b ? deep : b);
    const int v = tables.value[most];
    const int before = (spread * ofValue[most] + HALF) >> SHIFT;
    const int s = before == 0 ? 0 : tables.saturation[before];
    const int turn = most == r ? g - b : most == g ? b - r + 2 * spread : r - g + 4 * spread;
    const int place = (turn * ofSpread[spread] + HALF) >> SHIFT;
    const unsigned h = tables.hue[place < 0 ? place + 180 : place], sixth = h / 30 % 6, into = h % 30;
    const unsigned between = ((unsigned)v * (7650 - s * (sixth & 1 ? into : 30 - into)) + 3825) / 7650;
    const unsigned low = ((unsigned)v * (255 - s) + 127) / 255;
    const unsigned levels = v | between << BETWEEN | low << LOW;
    for (int c = 0; c < 3; c++) out[c] = levels >> bytes[sixth][c];
  }
}

static void saturate(const uint8_t* in, uint8_t* out, size_t pixels, int factor) {
  for (size_t i = 0; i < pixels; i++, in += 3, out += 3) {
    const int grey = greyOf(in[0], in[1], in[2]) * (0x10000 - factor) + 0x8000;
    for (int c = 0; c < 3; c++) out[c] = clamp((in[c] * factor + grey) >> 16);
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

static napi_value Blur(napi_env env, napi_callback_info info) {
  napi_value arguments[5], result;
  size_t given = 5, length = 0, same = 0, weights = 0, columns = 0, rows = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], &length);
  uint8_t* out = memoryOf(env, arguments[1], &same);
  Bell bell = {memoryOf(env, arguments[2], &weights), memoryOf(env, arguments[3], &columns), memoryOf(env, arguments[4], &rows), 0};
  bell.radius = (int)weights - 1;
  const int width = (int)columns - 2 * bell.radius, height = (int)rows - 2 * bell.radius;
  const int fits = width > 0 && height > 0 && same == length && length == 3 * (size_t)width * height;
  napi_get_boolean(env, fits && blur(in, out, width, height, bell), &result);
  return result;
}

static napi_value ThroughTables(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t given = 3, length = 0, same = 0, tables = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], &length);
  uint8_t* out = memoryOf(env, arguments[1], &same);
  const uint8_t* by = memoryOf(env, arguments[2], &tables);
  if (same == length && tables == 768) throughTables(in, out, length / 3, by);
  return NULL;
}

static napi_value ThroughHsv(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  size_t given = 5, length = 0, same = 0, hue = 0, saturation = 0, value = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], &length);
  uint8_t* out = memoryOf(env, arguments[1], &same);
  const Tables tables = {memoryOf(env, arguments[2], &hue), memoryOf(env, arguments[3], &saturation), memoryOf(env, arguments[4], &value)};
  if (same == length && hue == 180 && saturation == 256 && value == 256) throughHsv(in, out, length / 3, tables);
  return NULL;
}

static napi_value Saturate(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t given = 3, length = 0, same = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], &length);
  uint8_t* out = memoryOf(env, arguments[1], &same);
  if (same == length) saturate(in, out, length / 3, numberOf(env, arguments[2]));
  return NULL;
}

static napi_value GreySum(napi_env env, napi_callback_info info) {
  napi_value arguments[1], result;
  size_t given = 1, length = 0;
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  const uint8_t* in = memoryOf(env, arguments[0], &length);
  int64_t sum = 0;
  for (size_t i = 0; i + 2 < length; i += 3) sum += greyOf(in[i], in[i + 1], in[i + 2]);
  napi_create_int64(env, sum, &result);
  return result;
}

void addColourLoops(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback call;
  } loops[] = {{"throughTables", ThroughTables}, {"throughHsv", ThroughHsv}, {"saturate", Saturate}, {"greySum", GreySum}, {"blur", Blur}};
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
    napi_value function;
    napi_create_function(env, loops[i].name, NAPI_AUTO_LENGTH, loops[i].call, NULL, &function);
    napi_set_named_property(env, exports, loops[i].name, function);
  }
}
