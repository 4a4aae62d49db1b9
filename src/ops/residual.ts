// Residuals.

import * as tf from "@tensorflow/tfjs-core";
import { isBfloat16, rawOp, rawOps } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { widened } from "./bf16/linear.ts";
import { differentiable } from "./differentiable.ts";

/** x + a, of one shape; keeps nothing for its gradient. */
export function residual(x: tf.Tensor, a: tf.Tensor): tf.Tensor {
  return differentiable(
    { x, a },
    () => tf.add(x, a),
    (dy) => ({ x: () => tf.clone(dy), a: () => tf.clone(dy) }),
  );
}

/** x + a * scale. x, a: [..., dim]; scale: [dim], one number a channel -> [..., dim]. `a` may be bfloat16, and its gradient is likewise. */
export function scaledResidual(x: tf.Tensor, a: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  const narrow = isBfloat16(a);
  if (!hasKernels()) return tf.add(x, tf.mul(widened(a), scale));
  const op = narrow ? "RfScaledResidualNarrow" : "RfScaledResidual";
  return differentiable(
    { x, a, scale },
    (save) => {
      save(a, scale);
      return rawOp(op, {}, [x, a, scale]);
    },
    (dy, saved) => {
      const [da, dScale] = rawOps(`${op}Grad`, {}, [dy, ...saved], 2);
      return { x: () => tf.clone(dy), a: () => da!, scale: () => dScale! };
    },
  );
}
