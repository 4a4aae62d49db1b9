// Activations with hand-derived gradients.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { differentiable } from "./differentiable.ts";

/** GELU with the exact error function: x * Phi(x). Any shape. */
export function gelu(x: tf.Tensor): tf.Tensor {
  return differentiable(
    { x },
    (save) => {
      save(x);
      return hasKernels() ? rawOp("RfGelu", {}, [x]) : plainGelu(x);
    },
    (dy, [saved]) => ({
      x: () => (hasKernels() ? rawOp("RfGeluGrad", {}, [saved!, dy]) : plainGeluGradient(saved!, dy)),
    }),
  );
}

/** x * Phi(x). Off the tape. */
export function plainGelu(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, normalCdf(x));
}

/** Off the tape. */
export function plainGeluGradient(x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return tf.mul(dy, tf.add(normalCdf(x), tf.mul(x, density)));
}

function normalCdf(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5));
}

/** SiLU: x * sigmoid(x). Any shape. */
export function silu(x: tf.Tensor): tf.Tensor {
  return differentiable(
    { x },
    (save) => {
      save(x);
      return tf.mul(x, tf.sigmoid(x));
    },
    (dy, [saved]) => ({
      x: () => {
        const s = tf.sigmoid(saved!);
        return tf.mul(dy, tf.add(s, tf.mul(tf.mul(saved!, s), tf.sub(1, s))));
      },
    }),
  );
}

/** Rectified linear unit: max(x, 0). Any shape. Keeps its output alone, which the next layer keeps anyway. */
export function relu<T extends tf.Tensor>(x: T): T {
  return differentiable(
    { x },
    (save) => {
      const y = tf.relu(x);
      save(y);
      return y;
    },
    (dy, [y]) => ({ x: () => rawOp("ReluGrad", { T: { type: "float" } }, [dy, y!]) }),
  ) as T;
}
