// The fourth stage of a step: what all processes of a training found becomes one. There is one process, so it is that.

import type * as tf from "@tensorflow/tfjs-core";
import type { Gradients } from "./backward.ts";

/** What a step has found: gradients, and of each batch its loss and terms. */
export type StepSums = { gradients: Gradients; tables: tf.Tensor[] };

export function reduce(found: StepSums): StepSums {
  return found;
}
