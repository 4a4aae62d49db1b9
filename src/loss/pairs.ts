// The matched pairs of a batch on the device: what every term of the loss reads besides the outputs.

import * as tf from "@tensorflow/tfjs-core";
import type { Target } from "../instance/instance.ts";
import { take } from "../ops/gather.ts";
import { uniformNumbers } from "../ops/masks/points.ts";
import { bucket } from "./bucket.ts";
import type { PointDraws } from "./masks/draws.ts";
import { uploadMasks } from "./masks/ground.ts";
import { type MaskPairs, maskPairs } from "./masks/pairs.ts";
import { costPoints, type MaskLossSettings } from "./masks/settings.ts";
import { type Match, match } from "./matcher.ts";
import type { StackedOutputs } from "./outputs.ts";
import { boxTerms } from "./terms/boxLoss.ts";

/**
 * The matched pairs of all outputs, output by output, as many for each: shapes take few values, whatever the number of
 * boxes. Padding is not valid and points at row 0.
 */
export type Matched = {
  /** Rows of the flat boxes [batch * all queries, 4], [pairs]; `layerRows`: of what the layers alone have, [pairs of layers]. */
  rows: tf.Tensor;
  layerRows: tf.Tensor;
  /** Places in the flat logits, [pairs]. */
  entries: tf.Tensor;
  /** The target's boxes, normalised cxcywh [pairs, 4]. */
  boxes: tf.Tensor;
  /** 1, or 0 for padding, [pairs]. */
  valid: tf.Tensor;
  /** IoU of the predicted and the target's box, [pairs]. */
  iou: tf.Tensor;
  /** Pairs of the last layer, at least 1: a scalar. */
  ofLastLayer: tf.Tensor;
  /** Number of targets of each image, [batch, 1]. */
  targets: tf.Tensor;
  /** Of a segmenter, whose pairs have another order: of these alone that have masks. */
  masks?: MaskPairs;
};

/** What masks are compared with, where the model is a segmenter. */
export type MaskMatchOptions = { settings: MaskLossSettings; draws: PointDraws };

/**
 * Match every output with the targets, each of `groups` equal chunks of its queries on its own, and put the pairs on the
 * device; the caller owns them. The device is read once. Throws what `match` throws.
 */
export function matchTargets(
  outputs: StackedOutputs,
  targets: readonly Target[],
  { groups, masks }: { groups: number; masks?: MaskMatchOptions | undefined },
): Matched {
  if (!masks) return placed(outputs, match(outputs, [...targets], groups), targets, groups);
  const ground = uploadMasks(targets, masks.settings);
  const points = outputs.masks.map(({ map }, output) => {
    const count = costPoints([map.shape[1], map.shape[2]], masks.settings);
    const drawn = masks.draws.matching(output, count);
    const numbers = uniformNumbers(drawn, [count, 2]);
    tf.dispose(drawn);
    return numbers;
  });
  try {
    const matches = match(outputs, [...targets], groups, { ground, points, settings: masks.settings });
    return {
      ...placed(outputs, matches, targets, groups),
      masks: maskPairs(outputs, matches, ground, { groups, ...masks }),
    };
  } catch (error) {
    ground.pixels.dispose();
    throw error;
  } finally {
    tf.dispose(points);
  }
}

/** The pairs on the device. */
function placed(
  outputs: StackedOutputs,
  matches: Match[][],
  targets: readonly Target[],
  groups: number,
): Omit<Matched, "masks"> {
  const { logits, boxes: predicted, queries } = outputs;
  const [batch, all, classes] = logits.shape;
  const inLayers = all - queries.at(-1)!;
  const width = batch * groups * bucket(Math.max(...targets.map(({ labels }) => labels.length)));
  const size = matches.length * width;
  const rows = new Int32Array(size);
  const layerRows = new Int32Array(size);
  const entries = new Int32Array(size);
  const boxes = new Float32Array(size * 4).fill(0.5);
  const valid = new Float32Array(size);
  let start = 0;
  const counts = matches.map((images, output) => {
    let pair = output * width;
    for (const [image, found] of images.entries()) {
      const target = targets[image]!;
      for (const [i, query] of found.queries.entries()) {
        const one = found.targets[i]!;
        rows[pair] = image * all + start + query;
        layerRows[pair] = image * inLayers + start + query;
        entries[pair] = rows[pair]! * classes + target.labels[one]!;
        boxes.set(target.boxes.subarray(4 * one, 4 * one + 4), 4 * pair);
        valid[pair++] = 1;
      }
    }
    start += queries[output]!;
    return pair - output * width;
  });
  const pairs = {
    rows: tf.tensor1d(rows),
    layerRows: tf.tensor1d(layerRows.subarray(0, size - width)),
    entries: tf.tensor1d(entries),
    boxes: tf.tensor2d(boxes, [size, 4]),
    valid: tf.tensor1d(valid),
    ofLastLayer: tf.scalar(Math.max(1, counts.at(-2)!)),
    targets: tf.tensor2d(targets.map(({ labels }) => [labels.length])),
  };
  return { ...pairs, iou: tf.tidy(() => boxTerms(matchedBoxes(predicted, pairs), pairs.boxes).iou) };
}

/** The predicted boxes of the pairs, [pairs, 4]; of padding the target's own, so that nothing comes from it. */
export function matchedBoxes(boxes: tf.Tensor, pairs: Pick<Matched, "rows" | "valid" | "boxes">): tf.Tensor {
  const mine = take(tf.reshape(boxes, [-1, 4]), pairs.rows);
  return tf.where(tf.expandDims(tf.cast(pairs.valid, "bool"), 1), mine, pairs.boxes);
}

/** [pairs] -> [outputs]. */
export function sumPairs(x: tf.Tensor, outputs: number): tf.Tensor {
  return tf.sum(tf.reshape(x, [outputs, -1]), 1);
}

/** [outputs] -> [pairs]: the value of each pair's output. */
export function spreadPairs(x: tf.Tensor, pairs: number): tf.Tensor {
  return tf.reshape(tf.tile(tf.expandDims(x, 1), [1, pairs / x.shape[0]!]), [-1]);
}
