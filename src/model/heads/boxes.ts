// The box head, whose output moves the reference boxes.

import * as tf from "@tensorflow/tfjs-core";
import type { Linear } from "../../ops/linear.ts";
import type { Block } from "../../ops/recompute.ts";
import type { Head } from "./head.ts";
import { applyDelta, mlp } from "./layers.ts";

/** `boxes`: [layers, batch, queries, 4], normalised cxcywh. */
export const boxHead: Head<{ box: Linear[] }, "boxes"> = (weights, { hidden, references, run }) => {
  const box = (x: tf.Tensor) => mlp(weights.box, x, { precise: true });
  const deltas = run(box as Block, { inputs: [hidden] }, weights.box);
  return { boxes: applyDelta(deltas, tf.expandDims(references, 0)) };
};
