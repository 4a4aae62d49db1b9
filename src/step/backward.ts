// The third stage of a step: the loss of the matched outputs, and its gradient for every weight that trains.

import * as tf from "@tensorflow/tfjs-core";
import { criterion, lossNumbers } from "../loss/criterion.ts";
import type { StackedOutputs } from "../loss/outputs.ts";
import type { Matched } from "../loss/pairs.ts";
import type { Term } from "../loss/terms/term.ts";
import { type Recording, valueAndGradients } from "../ops/differentiable.ts";
import { type Learner, trainable } from "./learner.ts";

/** Gradients by the path of the weight; one that the loss does not reach has none. */
export type Gradients = Map<string, tf.Tensor>;

export type LossInputs = {
  /** What the sums of the losses are divided by. */
  divisor: tf.Scalar;
  /** How the batch counts in its step. */
  share: tf.Scalar;
};

/** The loss's gradient for each of the outputs (`outputTensors`); undefined for one that it does not read. */
export type Seeds = (tf.Tensor | undefined)[];

function outputTensors({ logits, boxes, heads, masks }: StackedOutputs): tf.Tensor[] {
  return [logits, boxes, ...Object.values(heads), ...masks.flatMap(({ map, queries }) => [map, queries])];
}

/** `table`: the numbers of the criterion (`lossNumbers`), the loss before its share. All results are the caller's. */
export function lossGradients(
  outputs: StackedOutputs,
  matched: Matched,
  { divisor, share }: LossInputs,
  terms?: readonly Term[],
): { seeds: Seeds; table: tf.Tensor } {
  const { loss, extra, gradients } = valueAndGradients(outputTensors(outputs), () => {
    const found = criterion(outputs, matched, { divisor, ...(terms && { terms }) });
    return { loss: tf.mul(found.loss, share) as tf.Scalar, extra: { table: lossNumbers(found) } };
  });
  loss.dispose();
  return { seeds: gradients, table: extra.table };
}

/** The gradients of the outputs carried back to the weights, by their paths; the results are the caller's. */
export function backward(
  { weights }: Learner,
  { result, backward: toWeights }: Recording<StackedOutputs>,
  seeds: Seeds,
): Record<string, tf.Tensor> {
  const variables = trainable(weights);
  const given = outputTensors(result).flatMap((tensor, i) => (seeds[i] ? [[tensor, seeds[i]] as const] : []));
  const found = toWeights(
    variables.map(([, variable]) => variable),
    given,
  );
  return Object.fromEntries(variables.flatMap(([path], i) => (found[i] ? [[path, found[i]] as const] : [])));
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
