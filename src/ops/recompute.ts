// Gradient checkpointing: a block keeps its inputs alone and is computed again in the backward pass.
// (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.)

import * as tf from "@tensorflow/tfjs-core";
import { flatten } from "../util/tree.ts";
import { precisionNow, withPrecision } from "./bf16/precision.ts";
import { differentiable, vectorJacobian } from "./differentiable.ts";

/** A part of the network as a function of tensors. */
export type Block = (...tensors: tf.Tensor[]) => tf.Tensor;

/**
 * `block(...inputs, ...constants)`, of which only these are kept for the gradient, and the block's gradient is that of the
 * inputs and of the variables in `weights`, the tree of weights that it reads. Every other tensor it needs must be among
 * the constants: what it merely captures may be gone by then. The block must compute the same each time; whatever is
 * random in it has to be drawn before. Gradients are the same to the bit as without.
 */
export function recompute(
  block: Block,
  { inputs, constants = [] }: { inputs: tf.Tensor[]; constants?: tf.Tensor[] },
  weights: unknown,
): tf.Tensor {
  const variables = flatten<tf.Tensor>(weights).filter(([, leaf]) => leaf instanceof tf.Variable);
  const named: [string, tf.Tensor][] = [...variables, ...inputs.map((x, i): [string, tf.Tensor] => [`input ${i}`, x])];
  const precision = precisionNow();
  return differentiable(
    Object.fromEntries(named),
    (save) => {
      save(...inputs, ...constants);
      return block(...inputs, ...constants);
    },
    (dy, saved) => {
      const leaves = [...variables.map(([, variable]) => variable), ...saved.slice(0, inputs.length)];
      const gradients = vectorJacobian(leaves, () => withPrecision(precision, () => block(...saved)), dy);
      return Object.fromEntries(named.map(([name], i) => [name, () => gradients[i] ?? tf.zerosLike(leaves[i]!)]));
    },
  );
}

/** The same block without gradient checkpointing: what its gradient needs is kept. */
export const keepAll: typeof recompute = (block, { inputs, constants = [] }) => block(...inputs, ...constants);
