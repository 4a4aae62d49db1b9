// bfloat16: the upper half of a float. Sixteen at a time are widened to Lanes, and narrowed to the nearest, ties to even.

#pragma once

#include <cstdint>
#include <cstring>

#include "lanes.h"

struct Bf16 {
  uint16_t bits;
};

typedef uint32_t BitLanes __attribute__((vector_size(64)));
typedef uint16_t HalfLanes __attribute__((vector_size(32)));

INLINE Lanes widen(HalfLanes half) { return reinterpret_cast<Lanes>(__builtin_convertvector(half, BitLanes) << 16); }

INLINE HalfLanes narrow(Lanes lanes) {
  const BitLanes bits = reinterpret_cast<BitLanes>(lanes);
  const BitLanes rounded = bits + 0x7fff + ((bits >> 16) & 1);
  const Lanes kept = select(lanes != lanes, all(__builtin_nanf("")), reinterpret_cast<Lanes>(rounded));
  return __builtin_convertvector(reinterpret_cast<BitLanes>(kept) >> 16, HalfLanes);
}

INLINE float number(float x) { return x; }
INLINE float number(Bf16 x) { return of_bits(static_cast<uint32_t>(x.bits) << 16); }

INLINE Lanes load(const Bf16* from) {
  HalfLanes half;
  std::memcpy(&half, from, sizeof half);
  return widen(half);
}

INLINE Lanes load_some(const Bf16* from, int64_t count) {
  HalfLanes half = {};
  std::memcpy(&half, from, count * sizeof(Bf16));
  return widen(half);
}

INLINE void store(Bf16* to, Lanes lanes) {
  const HalfLanes half = narrow(lanes);
  std::memcpy(to, &half, sizeof half);
}

INLINE void store_some(Bf16* to, Lanes lanes, int64_t count) {
  const HalfLanes half = narrow(lanes);
  std::memcpy(to, &half, count * sizeof(Bf16));
}

/** `use(i, count)` for the columns of a row, sixteen at a time; the last may be fewer. */
template <typename Use>
INLINE void over_columns(int64_t columns, Use use) {
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) use(i, kLanes);
  if (i < columns) use(i, columns - i);
}

/** The first `count` numbers, at most sixteen. */
INLINE Lanes part(const float* from, int64_t count) { return count == kLanes ? load(from) : load_some(from, count); }
INLINE Lanes part(const Bf16* from, int64_t count) { return count == kLanes ? load(from) : load_some(from, count); }

template <typename T>
INLINE void put(T* to, Lanes lanes, int64_t count) {
  if (count == kLanes) store(to, lanes);
  else store_some(to, lanes, count);
}
