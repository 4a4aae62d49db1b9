// The masks of stochastic depth, drawn on the host before the network runs.

import * as tf from "@tensorflow/tfjs-core";
import type { Architecture } from "../architecture/variants.ts";
import type { Rng } from "../util/random/rng.ts";

/**
 * For each block what the windows of its two residuals are multiplied by: 0, or 1 over the chance to stay; [windows, 1, 1]
 * each, none for a block that is never dropped. The caller owns the masks. `rates`: one a block.
 */
export function dropPathMasks(
  { rates, rng }: { rates: readonly number[]; rng: Rng },
  { numWindows, outFeatureIndexes }: Pick<Architecture, "numWindows" | "outFeatureIndexes">,
  { images }: { images: number },
): tf.Tensor[][] {
  const windows = images * numWindows ** 2;
  const draw = (rate: number) =>
    tf.tensor3d(
      Float32Array.from({ length: windows }, () => (rng.uniform() >= rate ? 1 / (1 - rate) : 0)),
      [windows, 1, 1],
    );
  const blocks = Math.max(...outFeatureIndexes); // what follows is not used
  return rates.slice(0, blocks).map((rate) => (rate === 0 ? [] : [draw(rate), draw(rate)]));
}
