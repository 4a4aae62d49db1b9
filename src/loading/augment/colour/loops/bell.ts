// The blur of pictures by symmetric weights, in JavaScript.

import { wideRow } from "./reflect.ts";

/**
 * Across, then down, whole numbers all the way; rows that are across are kept as long as they are needed. `bits`: of a weight. Of the rest
 * `ColourLoops.blur` says what it is.
 */
export function blurInScript(
  data: Uint8Array,
  out: Uint8Array,
  { weights, columns, rows, bits }: { weights: Int32Array; columns: Int32Array; rows: Int32Array; bits: number },
): void {
  const radius = weights.length - 1;
  const height = rows.length - 2 * radius;
  const row = data.length / height;
  const { wide, inner, reflect } = wideRow(columns, radius);
  const across = Array.from({ length: 2 * radius + 1 }, () => new Int32Array(row));
  const keptRow = (y: number) => across[y % across.length]!;
  const sums = new Int32Array(row);
  for (let y = -radius; y < height; y++) {
    const next = y + radius;
    if (next < height) {
      inner.set(data.subarray(row * next, row * (next + 1)));
      reflect();
      weigh(keptRow(next), wide, wide, { weight: weights[0]!, one: 3 * radius, other: -1 });
      for (let k = 1; k <= radius; k++)
        weigh(keptRow(next), wide, wide, { weight: weights[k]!, one: 3 * (radius - k), other: 3 * (radius + k) });
    }
    if (y < 0) continue;
    weigh(sums, keptRow(y), keptRow(y), { weight: weights[0]!, one: 0, other: -1 });
    for (let k = 1; k <= radius; k++) {
      const [above, below] = [keptRow(rows[y + radius - k]!), keptRow(rows[y + radius + k]!)];
      weigh(sums, above, below, { weight: weights[k]!, one: 0, other: 0 });
    }
    for (let i = 0, at = row * y; i < row; i++, at++) out[at] = (sums[i]! + 2 ** (2 * bits - 1)) >> (2 * bits);
  }
}

/** Add a weight times what begins at `one` of the first and at `other` of the second; without an `other` begin with the first. */
function weigh(
  out: Int32Array,
  first: Int32Array,
  second: Int32Array,
  { weight, one, other }: { weight: number; one: number; other: number },
): void {
  if (other < 0) for (let i = 0; i < out.length; i++) out[i] = weight * first[one + i]!;
  else for (let i = 0; i < out.length; i++) out[i]! += weight * (first[one + i]! + second[other + i]!);
}
