// GELU with the exact error function: x * Phi(x), Phi the distribution function of the normal distribution, and its gradient.

#pragma once

#include "lanes.h"

INLINE Lanes gelu(Lanes x) { return x * (error_function(x * 0.70710678f) * 0.5f + 0.5f); } // of x / sqrt(2)

INLINE Lanes gelu_gradient(Lanes x, Lanes dy) {
  const Lanes distribution = error_function(x * 0.70710678f) * 0.5f + 0.5f;
  const Lanes density = exponential(x * x * -0.5f) * 0.39894228f; // 1 / sqrt(2 pi)
  return dy * (distribution + x * density);
}
