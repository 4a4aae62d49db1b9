// The weights of a resize along one axis: Pillow's antialiased BILINEAR, a triangle that is widened when shrinking, in fixed-point numbers.

/** Fixed-point bits of a weight: as Pillow's Resample.c, so that results are equal to the bit. */
export const BITS = 22;

/** `step` numbers for each output position: its first input position, how many there are, and as many weights. */
export type Kernel = { rows: Int32Array; step: number };

/** From a length to another one, both in pixels; of the output only `count` positions from `start` on. */
export function triangle(from: number, to: number, { start, count }: { start: number; count: number }): Kernel {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const step = 2 * Math.ceil(support) + 3;
  const rows = new Int32Array(count * step);
  const weights = new Float64Array(step);
  for (let i = 0; i < count; i++) {
    const centre = (start + i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const taps = from === to ? 1 : Math.min(Math.trunc(centre + support + 0.5), from) - first;
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      weights[k] = Math.max(1 - Math.abs((k + first - centre + 0.5) / support), 0);
      sum += weights[k]!;
    }
    const at = i * step;
    rows[at] = first;
    rows[at + 1] = taps;
    for (let k = 0; k < taps; k++) rows[at + 2 + k] = Math.trunc(0.5 + (weights[k]! / sum) * (1 << BITS));
  }
  return { rows, step };
}

/** The input positions that are read: from the first to behind the last. */
export function reach({ rows, step }: Kernel): { from: number; to: number } {
  const last = rows.length - step;
  return { from: rows[0]!, to: rows[last]! + rows[last + 1]! };
}
