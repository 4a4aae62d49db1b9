// Weights of antialiased bicubic interpolation (Keys, a = -0.5), as PyTorch's
// F.interpolate(mode="bicubic", antialias=True, align_corners=False).

/** Row-major [out, in] weights of one axis; each row sums to 1, weights beyond the border are left out. */
export function bicubicWeights(input: number, out: number): Float32Array {
  const scale = input / out;
  const stretch = Math.max(scale, 1);
  const support = 2 * stretch;
  const weights = new Float32Array(out * input);
  for (let i = 0; i < out; i++) {
    const centre = scale * (i + 0.5);
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), input);
    let sum = 0;
    for (let j = first; j < end; j++) sum += cubic((j - centre + 0.5) / stretch);
    for (let j = first; j < end; j++) weights[i * input + j] = cubic((j - centre + 0.5) / stretch) / sum;
  }
  return weights;
}

function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}
