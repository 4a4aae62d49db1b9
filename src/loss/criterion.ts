// The training loss of RF-DETR: every output layer matched on its own, then class, L1 and GIoU loss of each.
// Same values and names as the reference's models/criterion.py with its weights (lwdetr.py).

import * as tf from "@tensorflow/tfjs-core";
import type { Detections } from "../model/rfdetr.ts";
import { differentiable } from "../ops/differentiable.ts";
import { boxTerms, boxTermsGradient } from "./boxLoss.ts";
import { classTerms, classTermsGradient } from "./classLoss.ts";
import { scatterRows, take } from "./indexing.ts";
import { bucket, type Match, match, type StackedOutputs, type Target } from "./matcher.ts";

/** Weights of the losses in the sum. */
const WEIGHTS = { ce: 1, bbox: 5, giou: 2 };

/** Columns of the table of losses that the device computes, one row an output. */
const COLUMNS = ["loss_ce", "loss_bbox", "loss_giou", "cardinality_error", "class_error"] as const;

/**
 * The loss of a batch and its terms, each a scalar of the caller's: loss_ce, class_error, loss_bbox, loss_giou,
 * cardinality_error of the last layer, then all but class_error with the suffixes _0, _1, ... of the earlier layers and
 * _enc. `class_error` (percent of matched queries of the last layer with another class on top) and `cardinality_error`
 * (mean absolute difference between confident queries and boxes of an image) are no part of the loss.
 *
 * `groups`: the queries of each output are this many independent chunks (1 in evaluation). Losses are sums divided by
 * `boxCount`: if not given, the boxes of this batch times groups, and at least 1; parts of a batch that are accumulated
 * pass the whole batch's. Throws what `match` throws.
 */
export function criterion(
  { layers, encoder }: Detections,
  targets: Target[],
  { groups, boxCount }: { groups: number; boxCount?: number },
): { loss: tf.Scalar; terms: Record<string, tf.Scalar> } {
  const outputs = [...layers, encoder];
  const divisor = boxCount ?? normaliser(targets, groups);
  return tf.tidy(() => {
    const logits = tf.concat(outputs.map((output) => output.logits), 1); // biome-ignore format: one line
    const boxes = tf.concat(outputs.map((output) => output.boxes), 1); // biome-ignore format: one line
    const queries = outputs.map((output) => output.logits.shape[1]);
    const table = lossTable({ logits, boxes, queries }, targets, groups, divisor); // [outputs, columns]
    const weights = [WEIGHTS.ce, WEIGHTS.bbox, WEIGHTS.giou, 0, 0];
    const loss = tf.sum(tf.mul(table, tf.tensor2d([weights]))) as tf.Scalar;
    return { loss, terms: namedTerms(table, layers.length) };
  });
}

/** What the losses of these targets are divided by: boxes times groups, at least 1. */
export function normaliser(targets: Target[], groups: number): number {
  return Math.max(1, groups * targets.reduce((sum, { labels }) => sum + labels.length, 0));
}

function namedTerms(table: tf.Tensor, layers: number): Record<string, tf.Scalar> {
  const scalars = tf.unstack(tf.reshape(table, [-1])) as tf.Scalar[];
  const terms: Record<string, tf.Scalar> = {};
  const order = [layers - 1, ...Array.from({ length: layers - 1 }, (_, i) => i), layers];
  for (const output of order) {
    const suffix = output === layers - 1 ? "" : output === layers ? "_enc" : `_${output}`;
    for (const name of ["loss_ce", "class_error", "loss_bbox", "loss_giou", "cardinality_error"] as const) {
      if (name === "class_error" && suffix !== "") continue;
      terms[name + suffix] = scalars[output * COLUMNS.length + COLUMNS.indexOf(name)]!;
    }
  }
  return terms;
}

/**
 * Losses and errors [outputs, columns], differentiable with respect to logits and boxes in its first three columns.
 * Matching happens inside, off the tape: the pairs, the IoU and the class targets are constants for the gradient.
 */
function lossTable(outputs: StackedOutputs, targets: Target[], groups: number, divisor: number): tf.Tensor {
  const { logits, boxes, queries } = outputs;
  const [batch, all, classes] = logits.shape;
  const widths = [queries.length, batch * groups * bucket(Math.max(...targets.map(({ labels }) => labels.length)))];
  const byOutput = (x: tf.Tensor) => tf.sum(tf.reshape(x, widths), 1); // [pairs] -> [outputs]
  // the gradient of the pairs' or queries' sums, from that of the outputs' losses
  const ofPairs = (dy: tf.Tensor) => tf.reshape(tf.tile(tf.expandDims(dy, 1), [1, widths[1]!]), [-1]);
  return differentiable(
    { logits, boxes },
    (save) => {
      const pairs = upload(match(outputs, targets, groups), targets, { queries, all, classes, width: widths[1]! });
      const mine = matchedBoxes(boxes, pairs);
      const { l1, giou, iou } = boxTerms(mine, pairs.boxes);
      const matched = { entries: pairs.entries, valid: pairs.valid, iou };
      const { p, leave, dense, correction } = classTerms(logits, matched);
      save(logits, p, leave, mine, iou, pairs.boxes, pairs.rows, pairs.entries, pairs.valid);
      const unmatched = tf.sum(sumQueries(tf.sum(dense, 2), queries), 0); // [outputs]
      const columns = [
        tf.add(unmatched, byOutput(correction)),
        byOutput(tf.mul(l1, pairs.valid)),
        byOutput(tf.mul(tf.sub(1, giou), pairs.valid)),
      ].map((sum) => tf.div(sum, divisor));
      columns.push(cardinalityError(p, queries, targets), classError(logits, pairs, queries.length));
      return tf.stack(columns, 1);
    },
    (dy, saved) => {
      const [x, p, leave, mine, iou, theirs, rows, entries, valid] = saved as Saved;
      const [dCe, dL1, dGiou] = tf.unstack(tf.div(dy, divisor), 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return {
        logits: () => {
          const gradient = classTermsGradient(x, p, leave, { entries, iou, valid });
          return tf.mul(gradient, tf.reshape(spreadQueries(dCe, queries), [1, all, 1]));
        },
        boxes: () => {
          const weights = { dL1: tf.mul(ofPairs(dL1), valid), dGiou: tf.neg(tf.mul(ofPairs(dGiou), valid)) };
          const gradient = boxTermsGradient(mine, theirs, weights);
          return tf.reshape(scatterRows(gradient, rows, batch * all), [batch, all, 4]);
        },
      };
    },
  );
}

type Saved = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

/** [batch, all queries] -> [batch, outputs]: sums over the queries of each output. */
function sumQueries(x: tf.Tensor, queries: number[]): tf.Tensor {
  const batch = x.shape[0]!;
  if (queries.every((count) => count === queries[0])) {
    return tf.sum(tf.reshape(x, [batch, queries.length, queries[0]!]), 2);
  }
  return tf.stack(
    tf.split(x, queries, 1).map((part) => tf.sum(part, 1)),
    1,
  );
}

/** [outputs] -> [all queries]: the value of each query's output. */
function spreadQueries(x: tf.Tensor, queries: number[]): tf.Tensor {
  return take(x, tf.tensor1d(Int32Array.from(queries.flatMap((count, output) => Array<number>(count).fill(output)))));
}

/**
 * The matched pairs of all outputs, output by output, as many for each (padding is not valid and points at row 0).
 * rows: of the flat boxes [batch * all queries, 4]; entries: of the flat logits; boxes: the target's, cxcywh [pairs, 4].
 */
type Pairs = { rows: tf.Tensor; entries: tf.Tensor; boxes: tf.Tensor; valid: tf.Tensor; counts: number[] };

function upload(
  matches: Match[][],
  targets: Target[],
  { queries, all, classes, width }: { queries: number[]; all: number; classes: number; width: number },
): Pairs {
  const size = matches.length * width;
  const rows = new Int32Array(size);
  const entries = new Int32Array(size);
  const boxes = new Float32Array(size * 4).fill(0.5);
  const valid = new Float32Array(size);
  let start = 0;
  const counts = matches.map((images, output) => {
    let pair = output * width;
    for (const [image, found] of images.entries()) {
      const target = targets[image]!;
      for (const [i, query] of found.queries.entries()) {
        const which = found.targets[i]!;
        rows[pair] = image * all + start + query;
        entries[pair] = rows[pair]! * classes + target.labels[which]!;
        boxes.set(target.boxes.subarray(4 * which, 4 * which + 4), 4 * pair);
        valid[pair++] = 1;
      }
    }
    start += queries[output]!;
    return pair - output * width;
  });
  return {
    rows: tf.tensor1d(rows),
    entries: tf.tensor1d(entries),
    boxes: tf.tensor2d(boxes, [size, 4]),
    valid: tf.tensor1d(valid),
    counts,
  };
}

/** The predicted boxes of the pairs, [pairs, 4]; of padding the target's own, so that nothing comes from it. */
function matchedBoxes(boxes: tf.Tensor, pairs: Pairs): tf.Tensor {
  const mine = take(tf.reshape(boxes, [-1, 4]), pairs.rows);
  return tf.where(tf.expandDims(tf.cast(pairs.valid, "bool"), 1), mine, pairs.boxes);
}

/** Per output [outputs]: mean over images of |queries with any p above 0.5 - boxes|. p: [batch, all queries, classes]. */
function cardinalityError(p: tf.Tensor, queries: number[], targets: Target[]): tf.Tensor {
  const confident = tf.cast(tf.greater(tf.max(p, 2), 0.5), "float32");
  const boxes = tf.tensor2d(targets.map(({ labels }) => [labels.length]));
  return tf.mean(tf.abs(tf.sub(sumQueries(confident, queries), boxes)), 0);
}

/** [outputs]: percent of the last layer's matched queries whose top class is another (100 when none is matched); else 0. */
function classError(logits: tf.Tensor, pairs: Pairs, outputs: number): tf.Tensor {
  const last = outputs - 2; // the encoder's output comes after it
  const width = pairs.rows.shape[0]! / outputs;
  const [rows, entries, valid] = [pairs.rows, pairs.entries, pairs.valid].map((x) =>
    tf.slice(x, [last * width], [width]),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const classes = logits.shape[2]!;
  const top = tf.argMax(take(tf.reshape(logits, [-1, classes]), rows), 1);
  const right = tf.equal(tf.add(tf.mul(rows, tf.scalar(classes, "int32")), top), entries);
  const share = tf.div(tf.sum(tf.mul(tf.cast(right, "float32"), valid)), Math.max(1, pairs.counts[last]!));
  const error = tf.sub(100, tf.mul(share, 100));
  return tf.pad(tf.reshape(error, [1]), [[last, outputs - 1 - last]]);
}
