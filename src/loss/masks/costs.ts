// The matcher's costs of masks: cross-entropy and dice of every query with every target of its image, at the same points for all
// (rfdetr/models/matcher.py).

import * as tf from "@tensorflow/tfjs-core";
import type { MaskOutput } from "../../model/heads/masks.ts";
import { sampleChannels, samplePixels, tapsAt } from "../../ops/masks/points.ts";
import { product } from "../../ops/product.ts";
import type { MaskLossSettings } from "./settings.ts";

export type TargetMasks = {
  /** bool [masks, height, width]. */
  pixels: tf.Tensor3D;
  /** Which mask each target of each image has: int32 [batch, targets]; and 1, or 0 for one that has none. */
  places: tf.Tensor2D;
  present: tf.Tensor2D;
};

/** points: [count, 2] -> [batch, targets, queries]; 0 for targets without a mask. */
export function maskCosts(
  { map, queries }: MaskOutput,
  { pixels, places, present }: TargetMasks,
  points: tf.Tensor,
  { ceCoef, diceCoef }: MaskLossSettings,
): tf.Tensor {
  const [batch, rows, columns, dim] = map.shape;
  const targets = places.shape[1];
  const count = points.shape[0]!;
  return tf.tidy(() => {
    const cells = tf.reshape(map, [batch, rows * columns, dim]);
    const [weights, added] = tf.split(queries, [dim, 1], 2) as [tf.Tensor3D, tf.Tensor3D];
    const sampled = sampleChannels(cells, tapsAt(points, [rows, columns]));
    const logits = tf.add(product(weights, sampled, { transpose: "right" }), added); // [batch, queries, count]
    const flat = samplePixels(pixels, tf.reshape(places, [-1, 1]), tf.expandDims(points, 0));
    const labels = tf.reshape(flat, [batch, targets, count]);
    const likely = tf.sigmoid(logits);
    const ofQueries = (x: tf.Tensor) => tf.expandDims(tf.sum(x, 2), 1); // [batch, 1, queries]
    const crossEntropy = tf.div(
      tf.sub(ofQueries(tf.softplus(logits)), product(labels, logits, { transpose: "right" })),
      count,
    );
    const both = product(labels, likely, { transpose: "right" }); // [batch, targets, queries]
    const either = tf.add(ofQueries(likely), tf.sum(labels, 2, true));
    const dice = tf.sub(1, tf.div(tf.add(tf.mul(both, 2), 1), tf.add(either, 1)));
    const cost = tf.add(tf.mul(crossEntropy, ceCoef), tf.mul(dice, diceCoef));
    // chosen, not multiplied: a cost that is no number must not be one of a target without a mask
    return tf.where(tf.cast(tf.expandDims(present, 2), "bool"), cost, tf.zerosLike(cost));
  });
}
