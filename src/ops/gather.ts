// Selection by index and its transpose, summation into rows. Nothing is checked on the host: whoever gives indices made them.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../engine/backend.ts";
import { differentiable } from "./differentiable.ts";

/**
 * Rows of x by index. x: [rows, dim], indices: int32 of any shape -> [...indices.shape, dim].
 * (tf.gather downloads its indices to the host on every call to check them.)
 */
export function gatherRows(x: tf.Tensor, indices: tf.Tensor): tf.Tensor {
  return differentiable(
    { x },
    (save) => {
      save(indices);
      return rawOp(
        "GatherV2",
        { Tparams: { type: "float" }, Tindices: { type: "int32" }, Taxis: { type: "int32" }, batch_dims: 0 },
        [x, indices, tf.scalar(0, "int32")],
      );
    },
    (dy, [saved]) => ({ x: () => scatterSum(dy, saved!, x.shape[0]!) }),
  );
}

/** Sums of the rows that carry the same index. rows: [...indices.shape, dim] -> [count, dim]. No gradient. */
export function scatterSum(rows: tf.Tensor, indices: tf.Tensor, count: number): tf.Tensor {
  return rawOp(
    "UnsortedSegmentSum",
    { T: { type: "float" }, Tindices: { type: "int32" }, Tnumsegments: { type: "int32" } },
    [rows, indices, tf.scalar(count, "int32")],
  );
}

/**
 * Entries of `x` along `axis`. With batchDims = b the first b axes of x and indices run together:
 * x [batch, n, ...], indices [batch, m] -> [batch, m, ...] for axis 1 and batchDims 1. Off the tape.
 */
export function take(x: tf.Tensor, indices: tf.Tensor, axis = 0, batchDims = 0): tf.Tensor {
  return tf.tidy(() =>
    rawOp(
      "GatherV2",
      { batch_dims: batchDims, Tparams: { type: "float" }, Tindices: { type: "int32" }, Taxis: { type: "int32" } },
      [x, indices, tf.scalar(axis, "int32")],
    ),
  );
}

/** Zeros [rows, width] with `updates` [n, width] added at rows `indices` [n]. Off the tape. */
export function scatterRows(updates: tf.Tensor, indices: tf.Tensor, rows: number): tf.Tensor {
  return tf.tidy(() =>
    rawOp("ScatterNd", { T: { type: "float" }, Tindices: { type: "int32" } }, [
      tf.reshape(indices, [-1, 1]),
      updates,
      tf.tensor1d([rows, updates.shape[1]!], "int32"),
    ]),
  );
}

/** `x` [n] with `updates` [m] added at `indices` [m]. Off the tape. */
export function addAt(x: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor): tf.Tensor {
  return tf.tidy(() =>
    rawOp("TensorScatterAdd", { T: { type: "float" }, Tindices: { type: "int32" } }, [
      x,
      tf.reshape(indices, [-1, 1]),
      updates,
    ]),
  );
}
