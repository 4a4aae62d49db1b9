// The random points of a step as the fixtures' training drew them: matching first, then the losses; the last layer, the others, the proposals.

import * as tf from "@tensorflow/tfjs-core";
import type { PointDraws } from "../../src/loss/masks/draws.ts";
import { generatedDraw } from "./generatedWeights.ts";

/** Of a network with so many decoder layers; every output has at least one pair. */
export function generatedDraws(layers: number, step: number): PointDraws {
  const turn = (output: number) => (output === layers ? layers : (output + 1) % layers);
  return {
    matching: (output, points) => ({ numbers: tf.tensor1d(generatedDraw(step, turn(output), 2 * points)) }),
    pairs: (output, which, { rows, count, real }) => {
      const draw = layers + 1 + 2 * turn(output) + (which === "drawn" ? 1 : 0);
      const numbers = generatedDraw(step, draw, real.length * count * 2);
      const placed = new Float32Array(rows * count * 2);
      for (const [i, row] of real.entries())
        placed.set(numbers.subarray(i * count * 2, (i + 1) * count * 2), row * count * 2);
      return { numbers: tf.tensor1d(placed) };
    },
  };
}
