// Indexed reads and writes that check nothing on the host: the indices come from the matcher, which made them.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../engine/backend.ts";

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
