// GELU with the exact error function: x * Phi(x), Phi the distribution function of the normal distribution, and its gradient.

#pragma once

#include "lanes.h"

struct Normal {
  Lanes distribution, density;
};

/**
 * Of the normal distribution, both from one e^(-x^2 / 2): what lies beyond |x| is that times a polynomial in 1 / (1 + 0.28 |x|), fitted by least
 * squares; the error is at most 4e-8, and small beside the number where that is small. NaN stays.
 */
INLINE Normal normal(Lanes x) {
  const Lanes bell = exponential(x * x * -0.5f), t = 1.0f / (magnitude(x) * 0.28f + 1.0f);
  Lanes y = all(-0.10674058f);
  y = y * t + 0.393864672f;
  y = y * t + -0.243765485f;
  y = y * t + 0.274604085f;
  y = y * t + 0.0651251942f;
  y = y * t + 0.116912145f;
  const Lanes beyond = bell * (y * t);
  return {select(x < 0.0f, beyond, 1.0f - beyond), bell * 0.39894228f}; // 1 / sqrt(2 pi)
}

INLINE Lanes gelu(Lanes x) { return x * normal(x).distribution; }

INLINE void gelu(const float* x, float* y, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, gelu(load(x + i)));
  if (i < count) store_some(y + i, gelu(load_some(x + i, count - i)), count - i);
}

INLINE Lanes gelu_gradient(Lanes x, Lanes dy) {
  const Normal of = normal(x);
  return dy * (of.distribution + x * of.density);
}
