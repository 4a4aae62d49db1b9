// Layer normalisation over the last axis with a hand-derived gradient.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { differentiable } from "./differentiable.ts";

/** weight, bias: [dim], or any shape that broadcasts against the input with `dim` last. */
export type Norm = { weight: tf.Tensor; bias: tf.Tensor };

/** Normalise over the last axis. x: [..., dim] -> [..., dim]. `epsilon` is 1e-6 in the encoder and projector, 1e-5 in the decoder. */
export function layerNorm(norm: Norm, x: tf.Tensor, epsilon: number): tf.Tensor {
  const isPlain = norm.weight.rank > 1 || norm.bias.rank > 1;
  return isPlain || !hasKernels() ? plainLayerNorm(norm, x, epsilon) : ownLayerNorm(norm, x, epsilon);
}

function ownLayerNorm({ weight, bias }: Norm, x: tf.Tensor, epsilon: number): tf.Tensor {
  return differentiable(
    { x, weight, bias },
    (save) => {
      const [y, stats] = rawOps("RfLayerNorm", {}, [x, weight, bias, tf.scalar(epsilon)], 2) as [tf.Tensor, tf.Tensor];
      save(x, weight, stats);
      return y;
    },
    (dy, saved) => {
      const [dx, dWeight, dBias] = rawOps("RfLayerNormGrad", {}, [dy, ...saved], 3);
      return { x: () => dx!, weight: () => dWeight!, bias: () => dBias! };
    },
  );
}

function plainLayerNorm({ weight, bias }: Norm, x: tf.Tensor, epsilon: number): tf.Tensor {
  return differentiable(
    { x, weight, bias },
    (save) => {
      const centred = tf.sub(x, tf.mean(x, -1, true));
      const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
      const normalised = tf.mul(centred, rstd);
      save(normalised, rstd, weight);
      return tf.add(tf.mul(normalised, weight), bias);
    },
    (dy, [normalised, rstd, w]) => ({
      x: () => {
        const g = tf.mul(dy, w!);
        const projection = tf.mean(tf.mul(g, normalised!), -1, true);
        return tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), tf.mul(normalised!, projection)), rstd!);
      },
      weight: () => sumTo(tf.mul(dy, normalised!), weight.shape),
      bias: () => sumTo(dy, bias.shape),
    }),
  );
}

/** Sum over the axes along which `shape` was broadcast. */
function sumTo(x: tf.Tensor, shape: number[]): tf.Tensor {
  const dim = shape[shape.length - 1]!;
  if (shape.length === 1) return rawOp("BiasAddGrad", { T: { type: "float" } }, [tf.reshape(x, [-1, dim])]);
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((n, i) => (i < lead || (shape[i - lead] === 1 && n !== 1) ? [i] : []));
  return tf.reshape(tf.sum(x, axes), shape);
}
