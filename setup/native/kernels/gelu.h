// GELU with the exact error function: x * Phi(x), Phi the distribution function of the normal distribution, and its gradient.

#pragma once

#include "lanes.h"

struct Normal {
  float distribution, density;
};

/**
 * Of the normal distribution, both from one e^(-x^2 / 2): what lies beyond |x| is that times a polynomial in 1 / (1 + 0.28 |x|), fitted by least
 * squares; the error is at most 4e-8, and small beside the number where that is small. NaN stays.
 */
INLINE Normal normal(float x) {
  const float bell = exponential(x * x * -0.5f), t = 1.0f / (__builtin_fabsf(x) * 0.28f + 1.0f);
  float y = -0.10674058f;
  y = y * t + 0.393864672f;
  y = y * t + -0.243765485f;
  y = y * t + 0.274604085f;
  y = y * t + 0.0651251942f;
  y = y * t + 0.116912145f;
  const float beyond = bell * (y * t);
  return {x < 0.0f ? beyond : 1.0f - beyond, bell * 0.39894228f}; // 1 / sqrt(2 pi)
}

INLINE float gelu(float x) { return x * normal(x).distribution; }

/** What the gradient is multiplied by on its way back. */
INLINE float gelu_slope(float x) {
  const Normal of = normal(x);
  return of.distribution + x * of.density;
}

INLINE Lanes gelu(Lanes x) {
  return each(x, [](float one) __attribute__((always_inline)) { return gelu(one); });
}

INLINE Lanes gelu_slope(Lanes x) {
  return each(x, [](float one) __attribute__((always_inline)) { return gelu_slope(one); });
}
