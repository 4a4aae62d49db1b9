// The box head, whose output moves the reference boxes.

import * as tf from "@tensorflow/tfjs-core";
import type { Block } from "../../ops/recompute.ts";
import type { Head } from "./head.ts";
import { applyDelta, mlp } from "./layers.ts";

/** `boxes`: [layers, batch, queries, 4], normalised cxcywh. */
export const boxHead: Head = (weights, { hidden, references, run }) => {
  const box = (x: tf.Tensor) => mlp(weights.box, x);
  const deltas = run(box as Block, { inputs: [hidden] }, weights.box);
  return { boxes: applyDelta(deltas, tf.expandDims(references, 0)) };
};
