// What a head is: what it makes of the decoder's output, layer by layer.

import type * as tf from "@tensorflow/tfjs-core";
import type { recompute } from "../../ops/recompute.ts";
import type { Heads } from "./layers.ts";

type HeadInputs = {
  /** [layers, batch, queries, dim]. */
  hidden: tf.Tensor;
  /** Reference boxes [batch, queries, 4], normalised cxcywh. */
  references: tf.Tensor3D;
  /** Keep all activations or recompute them. */
  run: typeof recompute;
};

/** Outputs by name, each [layers, batch, queries, ...]. Its weights are in the weight table (architecture/weights/heads.ts). */
export type Head = (weights: Heads, inputs: HeadInputs) => Record<string, tf.Tensor>;
