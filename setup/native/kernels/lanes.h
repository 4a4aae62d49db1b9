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

/** Of all lanes: each takes the one half of them further on, until one is left. */
INLINE float sum(Lanes lanes) {
  typedef float Eight __attribute__((vector_size(32)));
  typedef float Four __attribute__((vector_size(16)));
  Eight eight[2];
  std::memcpy(eight, &lanes, sizeof eight);
  const Eight pairs = eight[0] + eight[1];
  Four four[2];
  std::memcpy(four, &pairs, sizeof four);
  const Four last = four[0] + four[1];
  return (last[0] + last[2]) + (last[1] + last[3]);
}

/** The sum of `of(i)` for i below `count`, a multiple of the lanes, beside what these begin with. */
template <typename Of>
INLINE float sum_of(int64_t count, Of of, Lanes start = all(0)) {
  float totals[kLanes];
  store(totals, start);
  for (int64_t i = 0; i < count; i += kLanes)
    for (int64_t j = 0; j < kLanes; j++) totals[j] += of(i + j);
  return sum(load(totals));
}

INLINE Lanes select(IntLanes which, Lanes yes, Lanes no) {
  return reinterpret_cast<Lanes>((which & reinterpret_cast<IntLanes>(yes)) | (~which & reinterpret_cast<IntLanes>(no)));
}

INLINE int32_t bits_of(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

INLINE float of_bits(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/**
 * `f` of every lane, a function of one number, of which the compiler makes vectors: on whole lanes GCC does some operations, comparisons among them, number by number
 * where the processor's vectors are shorter.
 */
template <typename F>
INLINE Lanes each(Lanes lanes, F f) {
  float numbers[kLanes];
  store(numbers, lanes);
  for (int64_t i = 0; i < kLanes; i++) numbers[i] = f(numbers[i]);
  return load(numbers);
}

/** e^x of an x that is not above 0, within 2e-7 of its value; what is below the smallest normal number is 0. NaN stays. */
INLINE float exponential(float x) {
  constexpr float kLeast = -87.5f;
  const float clamped = x < kLeast ? kLeast : x, number = x > kLeast ? x : kLeast; // the second is never NaN
  const int32_t power = static_cast<int32_t>(number * 1.44269504f - 0.5f);
  const float whole = static_cast<float>(power);
  const float r = clamped - whole * 0.693359375f - whole * -2.12194440e-4f; // |r| <= ln(2) / 2; the first product is exact
  float y = 1.0f / 5040;
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  return y * of_bits(x < kLeast ? 0 : (power + 127) << 23);
}
