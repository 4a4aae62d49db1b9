// The third stage of a step: the loss of the matched outputs, and its gradient for every weight that trains.

import * as tf from "@tensorflow/tfjs-core";
import { criterion } from "../loss/criterion.ts";
import type { StackedOutputs } from "../loss/outputs.ts";
import type { Matched } from "../loss/pairs.ts";
import { type Recording, valueAndGradients } from "../ops/differentiable.ts";
import { type Learner, trainable } from "./learner.ts";

/** Gradients by the path of the weight; one that the loss does not reach has none. */
export type Gradients = Map<string, tf.Tensor>;

export type BackwardInputs = {
  /** What the sums of the losses are divided by. */
  divisor: tf.Scalar;
  /** How the batch counts in its step. */
  share: tf.Scalar;
};

/** `table`: the loss before its share, then the criterion's table row by row, as one list. Both results are the caller's. */
export function backward(
  { weights }: Learner,
  { result: outputs, backward: toWeights }: Recording<StackedOutputs>,
  matched: Matched,
  { divisor, share }: BackwardInputs,
): { gradients: Gradients; table: tf.Tensor } {
  const tensors = [outputs.logits, outputs.boxes, ...Object.values(outputs.heads)];
  const { loss, extra, gradients } = valueAndGradients(tensors, () => {
    const { loss, table } = criterion(outputs, matched, { divisor });
    return {
      loss: tf.mul(loss, share) as tf.Scalar,
      extra: { table: tf.concat([tf.reshape(loss, [1]), tf.reshape(table, [-1])]) },
    };
  });
  const variables = trainable(weights);
  const seeds = tensors.flatMap((tensor, i) => (gradients[i] ? [[tensor, gradients[i]] as const] : []));
  const found = toWeights(
    variables.map(([, variable]) => variable),
    seeds,
  );
  tf.dispose([loss, ...seeds.map(([, gradient]) => gradient)]);
  return {
    gradients: new Map(variables.flatMap(([path], i) => (found[i] ? [[path, found[i]] as const] : []))),
    table: extra.table,
  };
}

/** The sum of two sets of gradients; both are used up. */
export function accumulate(total: Gradients, more: Gradients): Gradients {
  const sums: Gradients = new Map(total);
  for (const [path, gradient] of more) {
    const before = total.get(path);
    sums.set(path, before ? tf.add(before, gradient) : gradient);
    if (before) tf.dispose([before, gradient]);
  }
  return sums;
}
