// Where the random points of mask losses come from.

import * as tf from "@tensorflow/tfjs-core";
import type { Uniform } from "../../ops/masks/points.ts";
import { rngFromSeed } from "../../util/random/rng.ts";

/** The numbers that a batch draws. Outputs are counted as the network has them: layers, then proposals. The caller owns the tensors. */
export type PointDraws = {
  /** The points at which an output is matched: [points, 2]. */
  matching(output: number, points: number): Uniform;
  /**
   * Points of an output's pairs, [rows, count, 2]: candidates, and those that are drawn besides. `real`: the rows that are pairs,
   * in their order; the others are padding.
   */
  pairs(
    output: number,
    which: "candidates" | "drawn",
    options: { rows: number; count: number; real: readonly number[] },
  ): Uniform;
};

/** Keeps these random streams apart from others of the same seed. */
const MASK_POINTS = 0x6d61736b;

const KINDS = { matching: 0, candidates: 1, drawn: 2 } as const;

/** Draws that follow from these numbers alone, such as the run's seed, the step, and the batch's place in it. */
export function seededDraws(...words: [number, ...number[]]): PointDraws {
  const key = rngFromSeed(words[0], ...words.slice(1), MASK_POINTS).int(0x7fffffff);
  const seed = (output: number, kind: keyof typeof KINDS) => ({
    seed: tf.tensor1d([key, 4 * output + KINDS[kind]], "int32"),
  });
  return { matching: (output) => seed(output, "matching"), pairs: seed };
}
