// L1 and generalised-IoU loss of matched boxes with its gradient (Rezatofighi et al. 2019). Same as loss_boxes of the
// reference's models/criterion.py; where a minimum or maximum is tied, the gradient is halved as PyTorch does.

import * as tf from "@tensorflow/tfjs-core";

/** Union and enclosing areas below this count as this, so that degenerate boxes divide by no zero. */
export const LEAST_AREA = 1e-7;

/** Corners and what follows from them, of n pairs of boxes; x and y side by side: [n, 2], areas [n, 1]. */
type Geometry = {
  low: tf.Tensor;
  high: tf.Tensor;
  targetLow: tf.Tensor;
  targetHigh: tf.Tensor;
  size: tf.Tensor;
  /** Extent of the intersection, negative where the boxes are apart. */
  gap: tf.Tensor;
  overlap: tf.Tensor;
  span: tf.Tensor;
  intersection: tf.Tensor;
  union: tf.Tensor;
  enclosing: tf.Tensor;
};

function geometry(boxes: tf.Tensor, targets: tf.Tensor): Geometry {
  const [low, high] = corners(boxes);
  const [targetLow, targetHigh] = corners(targets);
  const size = tf.sub(high, low);
  const gap = tf.sub(tf.minimum(high, targetHigh), tf.maximum(low, targetLow));
  const overlap = tf.relu(gap);
  const span = tf.sub(tf.maximum(high, targetHigh), tf.minimum(low, targetLow));
  const intersection = area(overlap);
  const union = tf.sub(tf.add(area(size), area(tf.sub(targetHigh, targetLow))), intersection);
  return {
    ...{ low, high, targetLow, targetHigh, size, gap, overlap, span },
    ...{ intersection, union, enclosing: area(span) },
  };
}

/** cxcywh [n, 4] -> lower and upper corner, [n, 2] each. Negative sizes count as zero. */
function corners(boxes: tf.Tensor): [low: tf.Tensor, high: tf.Tensor] {
  const [centre, size] = tf.split(boxes, 2, 1) as [tf.Tensor, tf.Tensor];
  const half = tf.mul(tf.relu(size), 0.5);
  return [tf.sub(centre, half), tf.add(centre, half)];
}

const area = (size: tf.Tensor) => tf.prod(size, 1, true);

/**
 * Off the tape: what the losses need of n matched pairs, boxes and targets [n, 4] normalised cxcywh.
 * l1: sum of absolute differences, giou: generalised IoU, iou: IoU; each [n].
 */
export function boxTerms(boxes: tf.Tensor, targets: tf.Tensor): { l1: tf.Tensor; giou: tf.Tensor; iou: tf.Tensor } {
  return tf.tidy(() => {
    const { intersection, union, enclosing } = geometry(boxes, targets);
    const iou = tf.div(intersection, tf.maximum(union, LEAST_AREA));
    const giou = tf.sub(iou, tf.div(tf.sub(enclosing, union), tf.maximum(enclosing, LEAST_AREA)));
    return { l1: tf.sum(tf.abs(tf.sub(boxes, targets)), 1), giou: tf.squeeze(giou, [1]), iou: tf.squeeze(iou, [1]) };
  });
}

/** Off the tape: the gradient [n, 4] of `sum(l1 * dL1 + giou * dGiou)` with respect to `boxes`; dL1 and dGiou are [n]. */
export function boxTermsGradient(
  boxes: tf.Tensor,
  targets: tf.Tensor,
  { dL1, dGiou }: { dL1: tf.Tensor; dGiou: tf.Tensor },
): tf.Tensor {
  return tf.tidy(() => {
    const g = geometry(boxes, targets);
    const union = tf.maximum(g.union, LEAST_AREA);
    const enclosing = tf.maximum(g.enclosing, LEAST_AREA);
    // giou = intersection / union - 1 + union / enclosing, the union being area + target area - intersection
    const dUnion = tf.sub(
      tf.div(1, enclosing),
      tf.mul(tf.div(g.intersection, tf.square(union)), tf.greaterEqual(g.union, LEAST_AREA)),
    );
    const dIntersection = tf.sub(tf.div(1, union), dUnion);
    const dEnclosing = tf.sub(
      tf.mul(tf.div(tf.sub(g.enclosing, g.union), tf.square(enclosing)), tf.greaterEqual(g.enclosing, LEAST_AREA)),
      tf.div(1, enclosing),
    );
    // an area's gradient with respect to one side is the other side
    const other = (size: tf.Tensor) => tf.reverse(size, 1);
    const dSize = tf.mul(dUnion, other(g.size));
    const dGap = tf.mul(tf.mul(dIntersection, other(g.overlap)), tf.greaterEqual(g.gap, 0));
    const dSpan = tf.mul(dEnclosing, other(g.span));
    // whose corner bounds the intersection: 1 ours, 0 theirs, 0.5 both; the other one bounds the enclosing box
    const innerLow = share(tf.sub(g.low, g.targetLow));
    const innerHigh = share(tf.sub(g.targetHigh, g.high));
    const dLow = tf.neg(tf.add(tf.add(dSize, tf.mul(dGap, innerLow)), tf.mul(dSpan, tf.sub(1, innerLow))));
    const dHigh = tf.add(tf.add(dSize, tf.mul(dGap, innerHigh)), tf.mul(dSpan, tf.sub(1, innerHigh)));
    const size = tf.split(boxes, 2, 1)[1]!;
    const dHalf = tf.mul(tf.mul(tf.sub(dHigh, dLow), 0.5), tf.greaterEqual(size, 0));
    const fromGiou = tf.mul(tf.concat([tf.add(dLow, dHigh), dHalf], 1), tf.expandDims(dGiou, 1));
    return tf.add(fromGiou, tf.mul(tf.sign(tf.sub(boxes, targets)), tf.expandDims(dL1, 1)));
  });
}

/** 1 where x > 0, 0 where x < 0, 0.5 where it is 0. */
function share(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.add(tf.sign(x), 1), 0.5);
}
