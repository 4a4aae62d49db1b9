// More queries than a weights file has: those of the file as they are, the others grown from them.

import { fromFloat32, type HostTensor, toFloat32 } from "../util/hostTensor.ts";
import { rngFromSeed } from "../util/random/rng.ts";

/** Noise on a copy of a query, in standard deviations of the tensor: copies that are alike would find the same objects. */
const NOISE = 0.1;

/** Rows of a tensor of queries: groups one after the other. */
type Rows = { groups: number; queries: number };

/**
 * The tensor of queries [groups * queries, ...] with more of them in each group: first those of the file, then copies of them in
 * turn, each value with normal noise of a tenth of the tensor's standard deviation. `seed` and `words` decide on it. The file has as many groups
 * or more.
 */
export function growQueries(
  tensor: HostTensor,
  { from, to, seed, words }: { from: Rows; to: Rows; seed: number; words: readonly number[] },
): HostTensor {
  const source = toFloat32(tensor);
  const width = source.length / (from.groups * from.queries);
  const scale = NOISE * deviation(source);
  const out = new Float32Array(to.groups * to.queries * width);
  for (let group = 0; group < to.groups; group++)
    for (let query = 0; query < to.queries; query++) {
      const at = (group * from.queries + (query % from.queries)) * width;
      const row = source.slice(at, at + width);
      if (query >= from.queries) {
        const rng = rngFromSeed(seed, ...words, group, query);
        for (let i = 0; i < width; i++) row[i]! += scale * rng.normal();
      }
      out.set(row, (group * to.queries + query) * width);
    }
  return fromFloat32(out, [to.groups * to.queries, ...tensor.shape.slice(1)]);
}

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
