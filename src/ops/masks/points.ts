// Sampling of maps at points: between cells for logits, the nearest cell for annotated masks. Points are (x, y) from 0 to 1 over the
// whole map; one beyond the outermost centres counts as on its border, as in the reference (point_sample). Nothing here is on the tape.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { take } from "../gather.ts";

/** Uniform numbers from 0 to 1: those that a seed [2] (int32) stands for, or given ones. */
export type Uniform = { seed: tf.Tensor } | { numbers: tf.Tensor };

/** The numbers in a shape. A seed gives the same ones on every machine and in any number of threads. */
export function uniformNumbers(from: Uniform, shape: number[]): tf.Tensor {
  if ("numbers" in from) return tf.reshape(from.numbers, shape);
  const types = { dtype: { type: "float" }, T: { type: "int32" }, Tseed: { type: "int32" } } as const;
  return tf.tidy(() => rawOp("StatelessRandomUniform", types, [tf.tensor1d(shape, "int32"), from.seed]));
}

/** Places in a flat map of the four cells around each point, and their shares: both [..., 4 * count], cell by cell. */
export type Taps = { cells: tf.Tensor; shares: tf.Tensor };

type Size = readonly [rows: number, columns: number];

/** points: [..., count, 2]. */
export function tapsAt(points: tf.Tensor, [rows, columns]: Size): Taps {
  return tf.tidy(() => {
    const at = centred(points, [rows, columns]);
    const low = tf.floor(at);
    const [x, y] = parts(low);
    const [fx, fy] = parts(tf.sub(at, low));
    // On the last row or column the share of what would lie behind it is 0, whichever cell that is.
    const right = tf.cast(tf.less(x, columns - 1), "float32");
    const below = tf.mul(tf.cast(tf.less(y, rows - 1), "float32"), columns);
    const first = tf.add(tf.mul(y, columns), x);
    const second = tf.add(first, right);
    const cells = tf.concat([first, second, tf.add(first, below), tf.add(second, below)], -1);
    const [gx, gy] = [tf.sub(1, fx), tf.sub(1, fy)];
    const shares = tf.concat([tf.mul(gx, gy), tf.mul(fx, gy), tf.mul(gx, fy), tf.mul(fx, fy)], -1);
    return { cells: tf.cast(cells, "int32"), shares };
  });
}

/** Every map at points of its own. maps: [count of maps, rows * columns]; taps of [count of maps, points, 2] -> [count of maps, points]. */
export function sampleEach(maps: tf.Tensor, { cells, shares }: Taps): tf.Tensor {
  return tf.tidy(() => {
    const weighted = tf.mul(take(maps, cells, 1, 1), shares);
    return tf.sum(tf.reshape(weighted, [maps.shape[0]!, 4, -1]), 1);
  });
}

/** The transpose of `sampleEach`. gradient: [count of maps, points] -> [count of maps, cells]. */
export function spreadEach(gradient: tf.Tensor, { cells, shares }: Taps, size: number): tf.Tensor {
  return tf.tidy(() => {
    const maps = gradient.shape[0]!;
    const first = tf.reshape(tf.range(0, maps * size, size, "int32"), [maps, 1]);
    const weighted = tf.mul(tf.tile(gradient, [1, 4]), shares);
    const sums = rawOp(
      "UnsortedSegmentSum",
      { T: { type: "float" }, Tindices: { type: "int32" }, Tnumsegments: { type: "int32" } },
      [weighted, tf.add(cells, first), tf.scalar(maps * size, "int32")],
    );
    return tf.reshape(sums, [maps, size]);
  });
}

/** All channels of every map at the same points. maps: [batch, rows * columns, channels]; taps of [points, 2] -> [batch, points, channels]. */
export function sampleChannels(maps: tf.Tensor, { cells, shares }: Taps): tf.Tensor {
  const [batch, , channels] = maps.shape as [number, number, number];
  return tf.tidy(() => {
    const weighted = tf.mul(take(maps, cells, 1), tf.expandDims(shares, 1));
    return tf.sum(tf.reshape(weighted, [batch, 4, -1, channels]), 1);
  });
}

/**
 * The pixel that is nearest to each point, halves to the even one. pixels: bool [masks, rows, columns]; masks: which one each row of
 * points is of, int32 [n, 1]; points: [n or 1, count, 2] -> [n, count], 0 or 1.
 */
export function samplePixels(pixels: tf.Tensor, masks: tf.Tensor, points: tf.Tensor): tf.Tensor {
  const [, rows, columns] = pixels.shape as [number, number, number];
  return tf.tidy(() => {
    const [x, y] = parts(tf.cast(tf.round(centred(points, [rows, columns])), "int32"));
    const within = tf.add(tf.mul(y, tf.scalar(columns, "int32")), x);
    const places = tf.add(tf.mul(masks, tf.scalar(rows * columns, "int32")), within);
    const found = rawOp(
      "GatherV2",
      { Tparams: { type: "bool" }, Tindices: { type: "int32" }, Taxis: { type: "int32" }, batch_dims: 0 },
      [tf.reshape(pixels, [-1]), places, tf.scalar(0, "int32")],
    );
    return tf.cast(found, "float32");
  });
}

/** Points in cells between the first and the last centre, which is at 0 and at the number of cells less 1. */
function centred(points: tf.Tensor, [rows, columns]: Size): tf.Tensor {
  const at = tf.sub(tf.mul(points, tf.tensor1d([columns, rows])), 0.5);
  return tf.minimum(tf.maximum(at, 0), tf.tensor1d([columns - 1, rows - 1]));
}

/** [..., count, 2] -> twice [..., count]. */
function parts(points: tf.Tensor): [x: tf.Tensor, y: tf.Tensor] {
  return tf.unstack(points, -1) as [tf.Tensor, tf.Tensor];
}
