// Affine maps over the last axis, plain and stacked, in the precision of the moment (`withPrecision`).

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../engine/backend.ts";
import { gelu } from "./activation.ts";
import type { Activation } from "./bf16/affine.ts";
import { bf16GroupedLinear, bf16Linear, widened } from "./bf16/linear.ts";
import { precisionNow } from "./bf16/precision.ts";
import { differentiable, isTaped } from "./differentiable.ts";
import { affineProduct, biasGradient, product } from "./product.ts";

/** weight: [in, out]; bias: [out]. */
export type Linear = { weight: tf.Tensor; bias: tf.Tensor };

const FLOAT = { T: { type: "float" } } as const;

type LinearOptions = {
  activation?: Activation;
  /** The result stays in bfloat16 where it is computed so: the next operation takes that. With an activation it always does. */
  narrow?: boolean;
};

/** Affine map over the last axis, with an activation where asked. x: [..., in] -> [..., out]. */
export function linear(layer: Linear, x: tf.Tensor, { activation, narrow }: LinearOptions = {}): tf.Tensor {
  if (precisionNow() === "bf16") return bf16Linear(layer, x, { activation, narrow });
  // the gradient of GELU needs what it was made of, which is otherwise never written to memory
  return activation === "gelu" && isTaped() ? gelu(floatLinear(layer, x)) : floatLinear(layer, x, activation);
}

/** `linear` in float32 whatever the precision, for numbers that eight bits do not do for. */
export function preciseLinear(layer: Linear, x: tf.Tensor): tf.Tensor {
  return floatLinear(layer, widened(x));
}

function floatLinear({ weight, bias }: Linear, x: tf.Tensor, activation?: Activation): tf.Tensor {
  const [input, out] = weight.shape as [number, number];
  return differentiable(
    { x, weight, bias },
    (save) => {
      const rows = tf.reshape(x, [-1, input]);
      const y = affineProduct(rows, weight, bias, activation);
      save(rows, weight, ...(activation === "relu" ? [y] : []));
      return tf.reshape(y, [...x.shape.slice(0, -1), out]);
    },
    (dy, [rows, w, y]) => {
      const flat = tf.reshape(dy, [-1, out]);
      const dRows = y ? rawOp("ReluGrad", FLOAT, [flat, y]) : flat;
      return {
        x: () => tf.reshape(product(dRows, w!, { transpose: "right" }), x.shape),
        weight: () => product(rows!, dRows, { transpose: "left" }),
        bias: () => biasGradient(dRows),
      };
    },
  );
}

/** Linear map over the last axis without a bias. x: [..., in], weight: [in, out] -> [..., out]. */
export function project(weight: tf.Tensor, x: tf.Tensor): tf.Tensor {
  if (precisionNow() === "bf16") return bf16Linear({ weight }, x);
  const [input, out] = weight.shape as [number, number];
  return differentiable(
    { x, weight },
    (save) => {
      const rows = tf.reshape(x, [-1, input]);
      save(rows, weight);
      return tf.reshape(product(rows, weight), [...x.shape.slice(0, -1), out]);
    },
    (dy, [rows, w]) => {
      const dRows = tf.reshape(dy, [-1, out]);
      return {
        x: () => tf.reshape(product(dRows, w!, { transpose: "right" }), x.shape),
        weight: () => product(rows!, dRows, { transpose: "left" }),
      };
    },
  );
}

/** One affine map a group. weight: [groups, in, out], bias: [groups, out]; x: [groups or 1, rows, in] -> [groups, rows, out]. */
export function groupedLinear(layer: Linear, x: tf.Tensor3D): tf.Tensor3D {
  return precisionNow() === "bf16" ? (bf16GroupedLinear(layer, x) as tf.Tensor3D) : preciseGroupedLinear(layer, x);
}

/** `groupedLinear` in float32 whatever the precision. */
export function preciseGroupedLinear({ weight, bias }: Linear, x: tf.Tensor3D): tf.Tensor3D {
  return differentiable(
    { x, weight, bias },
    (save) => {
      save(x, weight);
      return affineProduct(x, weight, bias);
    },
    (dy, [rows, w]) => ({
      x: () => {
        const dx = product(dy, w!, { transpose: "right" });
        return x.shape[0] === 1 ? tf.sum(dx, 0, true) : dx;
      },
      weight: () => product(rows!, dy, { transpose: "left" }),
      bias: () => tf.sum(dy, 1),
    }),
  );
}
