// What a term of the loss is: some named losses over the outputs and their matched pairs, and what it measures besides.

import type * as tf from "@tensorflow/tfjs-core";
import type { StackedOutputs } from "../outputs.ts";
import type { Matched } from "../pairs.ts";

export type Term = {
  /** Names of its losses, and what each weighs in the sum. */
  losses: Readonly<Record<string, number>>;
  /** Names of what it measures: no part of the loss. `last` is of the last layer alone. */
  measures?: Readonly<Record<string, "each" | "last">>;
  /**
   * A tensor [outputs] for each loss and for each measure, in the order of their names. Losses are sums over the pairs or
   * queries of an output divided by `divisor`, differentiable with respect to the outputs; all else is a constant for them.
   */
  of(outputs: StackedOutputs, matched: Matched, divisor: tf.Scalar): { losses: tf.Tensor[]; measures?: tf.Tensor[] };
};
