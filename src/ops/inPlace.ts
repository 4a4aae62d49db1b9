// Memory that is updated in place: of our own kernels, or else resource variables of TensorFlow, which tfjs itself has no use for. A plain
// tensor that shares memory with a variable (by `write` or `read`) keeps its values where TensorFlow updates it, which copies shared memory
// first; our own kernels do not.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";

const FLOAT = { type: "float" } as const;

// TensorFlow's own name for a variable that lives as long as its handle.
const ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";

/** Handle of a float32 resource variable, kept until `dispose()`; it holds nothing before the first `write`. */
export function createInPlace(shape: number[]): tf.Tensor {
  return tf.keep(rawOp("VarHandleOp", { dtype: FLOAT, shape: { shape }, container: "", shared_name: ANONYMOUS }, []));
}

/** Make the variable hold the tensor's values; no copy is made, and the caller still owns the tensor. */
export function writeInPlace(handle: tf.Tensor, value: tf.Tensor): void {
  rawOps("AssignVariableOp", { dtype: FLOAT }, [handle, value], 0);
}

/** A place with a copy of the tensor's values, kept until `dispose()`: memory that our own kernels change, or a variable. */
export function holdInPlace(value: tf.Tensor): tf.Tensor {
  const one = tf.scalar(1);
  const copy = rawOp("Mul", { T: FLOAT }, [value, one]);
  one.dispose();
  if (hasKernels()) return tf.keep(copy);
  const handle = createInPlace(value.shape);
  writeInPlace(handle, copy);
  copy.dispose();
  return handle;
}

/** The place's values as a plain tensor, to be used before the next update; the caller owns it. */
export function readInPlace(handle: tf.Tensor): tf.Tensor {
  if (handle.dtype === "float32") return handle.clone();
  return rawOp("ReadVariableOp", { dtype: FLOAT }, [handle]);
}

/** weight -= rate * delta; `rate` is a scalar. */
export function descendInPlace(weight: tf.Tensor, rate: tf.Tensor, delta: tf.Tensor): void {
  rawOps("ResourceApplyGradientDescent", { T: FLOAT, use_locking: false }, [weight, rate, delta], 0);
}

/** average -= rate * (average - weight) for each, by a kernel of ours (`hasKernels`). */
export function moveInPlace(moving: readonly { average: tf.Tensor; weight: tf.Tensor }[], rate: tf.Tensor): void {
  const averages = moving.map(({ average }) => average);
  const weights = moving.map(({ weight }) => weight);
  rawOps("RfMoveAverages", { N: moving.length }, [...averages, ...weights, rate], 0);
}

/** A weight with its moments, and the gradient to update them by; all of one shape. */
export type WeightInPlace = {
  weight: tf.Tensor;
  gradient: tf.Tensor;
  moments: { first: tf.Tensor; second: tf.Tensor };
};

/**
 * Whole AdamW updates by a kernel of ours (`hasKernels`), one pass over memory: the moments change where they lie, the new weights are the
 * caller's. numbers [weights, 6]: what gradient and weight are multiplied by first, rate, 1 - beta1, 1 - beta2, epsilon.
 */
export function adamWInPlace(updates: readonly WeightInPlace[], numbers: tf.Tensor2D): tf.Tensor[] {
  const weights = updates.map(({ weight }) => weight);
  const gradients = updates.map(({ gradient }) => gradient);
  const moments = [...updates.map(({ moments }) => moments.first), ...updates.map(({ moments }) => moments.second)];
  const inputs = [...weights, ...gradients, ...moments, numbers];
  return rawOps("RfAdamW", { N: updates.length }, inputs, updates.length);
}

/**
 * One Adam update of a weight and its two moments: first += (g - first) * (1 - beta1), second likewise with g squared,
 * weight -= rate * first / (sqrt(second) + epsilon). Everything but the gradient, whose shape is the weight's, is a scalar.
 * The bias corrections are the caller's: they belong into rate and epsilon.
 */
export function adamInPlace(
  weight: tf.Tensor,
  moments: { first: tf.Tensor; second: tf.Tensor },
  scalars: { zero: tf.Tensor; rate: tf.Tensor; beta1: tf.Tensor; beta2: tf.Tensor; epsilon: tf.Tensor },
  gradient: tf.Tensor,
): void {
  const { zero, rate, beta1, beta2, epsilon } = scalars;
  rawOps(
    "ResourceApplyAdam",
    { T: FLOAT, use_locking: false, use_nesterov: false },
    [weight, moments.first, moments.second, zero, zero, rate, beta1, beta2, epsilon, gradient],
    0,
  );
}
