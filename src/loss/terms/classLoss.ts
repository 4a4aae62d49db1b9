// IoU-aware binary cross-entropy with its gradient: Align-DETR's loss as the reference's models/criterion.py has it
// (ia_bce_loss). A matched entry is drawn towards t = p^0.25 IoU^0.75, every other towards 0 with weight p^2.

import * as tf from "@tensorflow/tfjs-core";
import { addAt, take } from "../../ops/gather.ts";

const ALPHA = 0.25;
const LEAST_TARGET = 0.01;

/** Matched entries of flat logits: `entries` [m] are their places; where `valid` [m] is 0, the entry is padding. */
export type MatchedEntries = { entries: tf.Tensor; iou: tf.Tensor; valid: tf.Tensor };

/** The matched logits [m] (0 for padding) and what they are drawn to; t is a constant for the gradient. */
function matchedLogits(logits: tf.Tensor, { entries, iou, valid }: MatchedEntries) {
  const gathered = take(tf.reshape(logits, [-1]), entries);
  const x = tf.where(tf.cast(valid, "bool"), gathered, tf.zerosLike(gathered));
  const p = tf.sigmoid(x);
  const t = tf.maximum(tf.mul(tf.pow(p, ALPHA), tf.pow(iou, 1 - ALPHA)), LEAST_TARGET);
  return { x, p, t };
}

/**
 * Off the tape. `dense`: the loss of every logit as if it were unmatched, of logits' shape; `correction` [m]: what to
 * add for each matched entry. `p` and `leave` are the gradient's to keep.
 */
export function classTerms(logits: tf.Tensor, matched: MatchedEntries) {
  return tf.tidy(() => {
    const p = tf.sigmoid(logits);
    const leave = tf.softplus(logits); // -log(1 - p)
    const dense = tf.mul(tf.square(p), leave);
    const { x, p: pm, t } = matchedLogits(logits, matched);
    const positive = tf.add(tf.mul(tf.sub(1, t), x), tf.softplus(tf.neg(x)));
    const asUnmatched = tf.mul(tf.square(pm), tf.softplus(x));
    return { p, leave, dense, correction: tf.mul(tf.sub(positive, asUnmatched), matched.valid) };
  });
}

/** Off the tape: the gradient of `sum(dense) + sum(correction)` with respect to the logits, of their shape. */
export function classTermsGradient(
  logits: tf.Tensor,
  p: tf.Tensor,
  leave: tf.Tensor,
  matched: MatchedEntries,
): tf.Tensor {
  return tf.tidy(() => {
    const { x, p: pm, t } = matchedLogits(logits, matched);
    const correction = tf.sub(tf.sub(pm, t), unmatchedGradient(pm, tf.softplus(x)));
    const dense = tf.reshape(unmatchedGradient(p, leave), [-1]);
    return tf.reshape(addAt(dense, matched.entries, tf.mul(correction, matched.valid)), logits.shape);
  });
}

/** d(p^2 leave)/dx = p^2 (2 (1 - p) leave + p), with p and leave = -log(1 - p) of x. */
function unmatchedGradient(p: tf.Tensor, leave: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const twice = tf.mul(leave, 2);
    return tf.mul(tf.square(p), tf.add(twice, tf.mul(p, tf.sub(1, twice))));
  });
}
