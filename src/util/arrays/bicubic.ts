// Antialiased bicubic interpolation (Keys, a = -0.5), its weights and whole grids of them, as PyTorch's
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

/**
 * Resize a square grid in double precision, its rows first, then its columns. data: [side * side, channels], row-major ->
 * [to * to, channels]; a grid that has the size already is given back as it is.
 */
export function resizeSquare(data: Float32Array, channels: number, { to }: { to: number }): Float32Array {
  const side = Math.sqrt(data.length / channels);
  if (side === to) return data;
  const weights = bicubicWeights(side, to);
  const half = new Float64Array(to * side * channels); // rows resized, columns not yet
  for (let y = 0; y < to; y++)
    for (let j = 0; j < side; j++) {
      const w = weights[y * side + j]!;
      const [target, source] = [y * side * channels, j * side * channels];
      if (w !== 0) for (let i = 0; i < side * channels; i++) half[target + i]! += w * data[source + i]!;
    }
  const sums = new Float64Array(to * to * channels);
  for (let y = 0; y < to; y++)
    for (let x = 0; x < to; x++)
      for (let j = 0; j < side; j++) {
        const w = weights[x * side + j]!;
        const [target, source] = [(y * to + x) * channels, (y * side + j) * channels];
        if (w !== 0) for (let c = 0; c < channels; c++) sums[target + c]! += w * half[source + c]!;
      }
  return Float32Array.from(sums);
}
