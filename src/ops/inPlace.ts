// Memory that is updated in place: resource variables of TensorFlow, which tfjs itself has no use for. A plain tensor that
// shares memory with one (by `write` or `read`) keeps its values where TensorFlow updates it, which copies shared memory first; our
// own kernels do not.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";

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

/** Make the variable hold a copy of the tensor's values. */
export function copyInPlace(handle: tf.Tensor, value: tf.Tensor): void {
  const one = tf.scalar(1);
  const copy = rawOp("Mul", { T: FLOAT }, [value, one]);
  writeInPlace(handle, copy);
  tf.dispose([one, copy]);
}

/** The variable's values as a plain tensor, to be used before the next update; the caller owns it. */
export function readInPlace(handle: tf.Tensor): tf.Tensor {
  return rawOp("ReadVariableOp", { dtype: FLOAT }, [handle]);
}

/** weight -= rate * delta; `rate` is a scalar. */
export function descendInPlace(weight: tf.Tensor, rate: tf.Tensor, delta: tf.Tensor): void {
  rawOps("ResourceApplyGradientDescent", { T: FLOAT, use_locking: false }, [weight, rate, delta], 0);
}

/**
 * average -= rate * (average - weight) by a kernel of ours (`hasKernels`). No other tensor may share the
 * average's memory.
 */
export function moveInPlace(average: tf.Tensor, rate: tf.Tensor, weight: tf.Tensor): void {
  const memory = readInPlace(average); // shared with the variable, not copied
  rawOps("RfMoveAverage", {}, [memory, weight, rate], 0);
  memory.dispose();
}

/**
 * A whole AdamW update by a kernel of ours (`hasKernels`), one pass over memory: the moments change where they lie, the new weight is the
 * caller's. numbers: what gradient and weight are multiplied by first, rate, 1 - beta1, 1 - beta2, epsilon.
 */
export function adamWInPlace(
  weight: tf.Tensor,
  moments: { first: tf.Tensor; second: tf.Tensor },
  numbers: tf.Tensor1D,
  gradient: tf.Tensor,
): tf.Tensor {
  const memory = [readInPlace(moments.first), readInPlace(moments.second)]; // shared with the variables, not copied
  const updated = rawOp("RfAdamW", {}, [weight, gradient, numbers, ...memory]);
  tf.dispose(memory);
  return updated;
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
