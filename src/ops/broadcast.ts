// Repetition along axes of length one, with a gradient that is one sum.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../engine/backend.ts";
import { differentiable } from "./differentiable.ts";

/** Repeat x along its axes of length 1 until it has `shape` (of the same rank). */
export function broadcastTo(x: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = shape.flatMap((n, i) => (x.shape[i] === n ? [] : [i]));
  if (axes.length === 0) return x.clone();
  return differentiable(
    { x },
    () => rawOp("BroadcastTo", { T: { type: "float" }, Tidx: { type: "int32" } }, [x, tf.tensor1d(shape, "int32")]),
    (dy) => ({ x: () => tf.sum(dy, axes, true) }),
  );
}
