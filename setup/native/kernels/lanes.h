// Sixteen numbers at a time. A sum is taken lane by lane and the lanes are added in a fixed order, and nothing is fused
// (-ffp-contract=off), so that results are the same bytes on every processor, whatever its vectors.

#pragma once

#include <cstdint>
#include <cstring>

// A function is compiled for several generations of processors, and the loader takes the best.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define INLINE static inline __attribute__((always_inline))

constexpr int64_t kLanes = 16;

typedef float Lanes __attribute__((vector_size(64)));
typedef int32_t IntLanes __attribute__((vector_size(64)));

INLINE Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

INLINE void store(float* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof lanes); }

/** The first `count` numbers; the other lanes are 0. */
INLINE Lanes load_some(const float* from, int64_t count) {
  Lanes lanes = {};
  std::memcpy(&lanes, from, count * sizeof(float));
  return lanes;
}

INLINE void store_some(float* to, Lanes lanes, int64_t count) { std::memcpy(to, &lanes, count * sizeof(float)); }

INLINE Lanes all(float value) { return value - Lanes{}; }

INLINE float sum(Lanes lanes) {
  float parts[kLanes];
  store(parts, lanes);
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; i++) parts[i] += parts[i + half];
  return parts[0];
}

INLINE float most(Lanes lanes) {
  float parts[kLanes];
  store(parts, lanes);
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; i++) parts[i] = parts[i + half] > parts[i] ? parts[i + half] : parts[i];
  return parts[0];
}

INLINE Lanes select(IntLanes which, Lanes yes, Lanes no) {
  return reinterpret_cast<Lanes>((which & reinterpret_cast<IntLanes>(yes)) | (~which & reinterpret_cast<IntLanes>(no)));
}

INLINE Lanes magnitude(Lanes x) { return reinterpret_cast<Lanes>(reinterpret_cast<IntLanes>(x) & 0x7fffffff); }

/** e^x within 2e-7 of its value; what is below the smallest normal number is 0. NaN stays. */
INLINE Lanes exponential(Lanes x) {
  const Lanes clamped = select(x > 88.5f, all(88.5f), select(x < -87.5f, all(-87.5f), x));
  const Lanes scaled = clamped * 1.44269504f;
  const IntLanes power = __builtin_convertvector(scaled + select(scaled < 0.0f, all(-0.5f), all(0.5f)), IntLanes);
  const Lanes whole = __builtin_convertvector(power, Lanes);
  const Lanes r = clamped - whole * 0.693359375f - whole * -2.12194440e-4f; // |r| <= ln(2) / 2; the first product is exact
  Lanes y = all(1.0f / 5040);
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  y *= reinterpret_cast<Lanes>((power + 127) << 23);
  return select(x < -87.5f, Lanes{}, select(x != x, x, y));
}
