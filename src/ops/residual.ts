// Residuals.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { differentiable } from "./differentiable.ts";

/** x + a * scale. x, a: [..., dim]; scale: [dim], one number a channel -> [..., dim]. */
export function scaledResidual(x: tf.Tensor, a: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  if (!hasKernels()) return tf.add(x, tf.mul(a, scale));
  return differentiable(
    { x, a, scale },
    (save) => {
      save(a, scale);
      return rawOp("RfScaledResidual", {}, [x, a, scale]);
    },
    (dy, saved) => {
      const [da, dScale] = rawOps("RfScaledResidualGrad", {}, [dy, ...saved], 2);
      return { x: () => tf.clone(dy), a: () => da!, scale: () => dScale! };
    },
  );
}
