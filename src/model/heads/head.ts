// What a head is: what it makes of the decoder's output, layer by layer; and the outputs of several, side by side.

import type * as tf from "@tensorflow/tfjs-core";
import type { recompute } from "../../ops/recompute.ts";

export type HeadInputs = {
  /** [layers, batch, queries, dim]. */
  hidden: tf.Tensor;
  /** Reference boxes [batch, queries, 4], normalised cxcywh. */
  references: tf.Tensor3D;
  /** Keep all activations or recompute them. */
  run: typeof recompute;
};

/**
 * Outputs by name, each [layers, batch, queries, ...], of the head's own weights: the leaves of `heads` that the weight table
 * gives it (architecture/weights/heads.ts).
 */
export type Head<Weights, Output extends string> = (weights: Weights, inputs: HeadInputs) => Record<Output, tf.Tensor>;

/** The outputs of all heads. Throws where two give one of the same name. */
export function joinOutputs(outputs: readonly Readonly<Record<string, tf.Tensor>>[]): Record<string, tf.Tensor> {
  const joined: Record<string, tf.Tensor> = {};
  for (const [name, output] of outputs.flatMap((one) => Object.entries(one))) {
    if (Object.hasOwn(joined, name)) throw new Error(`two heads give an output of the name ${name}`);
    joined[name] = output;
  }
  return joined;
}
