// Memory that TensorFlow updates in place: resource variables, which tfjs itself has no use for. A plain tensor that
// shares memory with one (by `write` or `read`) keeps its values: TensorFlow copies before it changes shared memory.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";

const FLOAT = { type: "float" } as const;

// TensorFlow's own name for a variable that lives as long as its handle.
const ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";

/** Handle of a float32 resource variable of any shape, kept until `dispose()`; it holds nothing before the first `write`. */
export function createInPlace(): tf.Tensor {
  return tf.keep(
    rawOp("VarHandleOp", { dtype: FLOAT, shape: { shape: [] }, container: "", shared_name: ANONYMOUS }, []),
  );
}

/** Make the variable hold the tensor's values; no copy is made, and the caller still owns the tensor. */
export function writeInPlace(handle: tf.Tensor, value: tf.Tensor): void {
  rawOps("AssignVariableOp", { dtype: FLOAT }, [handle, value], 0);
}

/** The variable's values as a plain tensor, which later updates do not change; the caller owns it. */
export function readInPlace(handle: tf.Tensor): tf.Tensor {
  return rawOp("ReadVariableOp", { dtype: FLOAT }, [handle]);
}

/** weight -= rate * delta; `rate` is a scalar. */
export function descendInPlace(weight: tf.Tensor, rate: tf.Tensor, delta: tf.Tensor): void {
  rawOps("ResourceApplyGradientDescent", { T: FLOAT, use_locking: false }, [weight, rate, delta], 0);
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
