// Selection of rows by index and its transpose, the summation into rows.

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
