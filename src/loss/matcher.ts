// Which query answers for which target: bipartite matching of each decoder layer's output with the boxes of its image
// (DETR; grouped queries as in Group DETR). Same costs as the reference's models/matcher.py.

import * as tf from "@tensorflow/tfjs-core";
import { readNow } from "../engine/backend.ts";
import type { Target } from "../instance/instance.ts";
import { take } from "../ops/gather.ts";
import { assign } from "./assignment.ts";
import { bucket } from "./bucket.ts";
import { maskCosts } from "./masks/costs.ts";
import type { GroundMasks } from "./masks/ground.ts";
import type { MaskLossSettings } from "./masks/settings.ts";
import type { StackedOutputs } from "./outputs.ts";
import { LEAST_AREA } from "./terms/boxLoss.ts";

/** What is matched: logits and boxes of all outputs side by side, and how many queries each has. */
type Scored = Pick<StackedOutputs, "logits" | "boxes" | "queries"> & Partial<Pick<StackedOutputs, "masks">>;

/** The annotated masks, the points [count, 2] at which each output is compared with them, and what that weighs. */
export type MaskMatching = { ground: GroundMasks; points: tf.Tensor[]; settings: MaskLossSettings };

/** Matched pairs of one image in one output: `queries[i]` answers for `targets[i]`. Group by group, then by query. */
export type Match = { queries: Int32Array; targets: Int32Array };

const LARGEST_FLOAT32 = 3.4028234663852886e38;

/**
 * Match every output with the targets, each of `groups` equal chunks of its queries on its own. Result: [output][image].
 * The costs of all outputs, images and groups are computed together and read from the device once; `masks`: of a segmenter. Throws when an
 * output's number of queries is no multiple of `groups`, or a label is no class of the logits.
 */
export function match(outputs: Scored, targets: Target[], groups: number, masks?: MaskMatching): Match[][] {
  const classes = outputs.logits.shape[2];
  for (const queries of outputs.queries) {
    if (queries % groups !== 0) throw new Error(`${queries} queries cannot be split into ${groups} groups.`);
  }
  for (const label of targets.flatMap(({ labels }) => [...labels])) {
    if (!(label >= 0 && label < classes)) throw new Error(`Label ${label} is outside the model's ${classes} classes.`);
  }
  const most = Math.max(...targets.map(({ labels }) => labels.length));
  if (most === 0) return outputs.queries.map(() => targets.map(() => ({ queries: none(), targets: none() })));
  const padded = bucket(most);
  const ofMasks = masks && { ...masks, places: masks.ground.places };
  const costs = readCosts(outputs, targets, padded, ofMasks);
  const own = { costs, padded, firstColumn: targets.map(() => 0) };
  return solve(
    allFinite(costs, targets, padded) ? own : finiteCosts(outputs, targets, masks),
    outputs.queries,
    targets,
    groups,
  );
}

const none = () => new Int32Array(0);

/** Costs [batch, padded, all queries]; image b's own targets are columns firstColumn[b], firstColumn[b] + 1, ... */
type Costs = { costs: ArrayLike<number>; padded: number; firstColumn: number[] };

function solve({ costs, padded, firstColumn }: Costs, queries: number[], targets: Target[], groups: number): Match[][] {
  const all = queries.reduce((a, b) => a + b, 0);
  let start = 0;
  return queries.map((count) => {
    const width = count / groups;
    const matches = targets.map(({ labels }, image) => {
      const pairs = Math.min(width, labels.length);
      const found = { queries: new Int32Array(groups * pairs), targets: new Int32Array(groups * pairs) };
      for (let group = 0; group < groups; group++) {
        const offset = (image * padded + firstColumn[image]!) * all + start + group * width;
        const size = { rows: width, columns: labels.length, rowStride: 1, columnStride: all };
        const { rows, columns } = assign({ costs, offset, ...size });
        found.queries.set(
          rows.map((row) => row + group * width),
          group * pairs,
        );
        found.targets.set(columns, group * pairs);
      }
      return found;
    });
    start += count;
    return matches;
  });
}

function allFinite(costs: ArrayLike<number>, targets: Target[], padded: number): boolean {
  const all = costs.length / (targets.length * padded);
  return targets.every(({ labels }, image) => {
    const start = image * padded * all;
    // A sum is finite only if every term is; the magnitudes of real costs are far from overflow in float64.
    let sum = 0;
    for (let i = start; i < start + labels.length * all; i++) sum += costs[i]!;
    return Number.isFinite(sum);
  });
}

/**
 * Costs in which whatever is not finite is replaced by a number above every valid cost. As in the reference, that number
 * is taken over the costs of every image's queries against the targets of the whole batch, output by output.
 */
function finiteCosts(outputs: Scored, targets: Target[], masks: MaskMatching | undefined): Costs {
  const batch = targets.length;
  const boxes = Float32Array.from(targets.flatMap((target) => [...target.boxes]));
  const labels = Int32Array.from(targets.flatMap((target) => [...target.labels]));
  const everyone = targets.map(() => ({ boxes, labels }));
  const padded = bucket(labels.length);
  const places = masks && Int32Array.from(masks.ground.places.flatMap((of) => [...of]));
  const ofMasks = masks && { ...masks, places: targets.map(() => places!) };
  const costs = Float32Array.from(readCosts(outputs, everyone, padded, ofMasks));
  const all = costs.length / (batch * padded);
  let start = 0;
  for (const count of outputs.queries) {
    const each = (visit: (i: number) => void) => {
      for (let b = 0; b < batch; b++) {
        for (let target = 0; target < labels.length; target++) {
          const row = (b * padded + target) * all + start;
          for (let query = 0; query < count; query++) visit(row + query);
        }
      }
    };
    let max = Number.NEGATIVE_INFINITY;
    let maxAbsolute = 0;
    each((i) => {
      if (!Number.isFinite(costs[i])) return;
      max = Math.max(max, costs[i]!);
      maxAbsolute = Math.max(maxAbsolute, Math.abs(costs[i]!));
    });
    const above = Math.fround(Math.fround(max + maxAbsolute) + 1);
    const replacement = Number.isFinite(above) ? above : LARGEST_FLOAT32;
    each((i) => {
      if (!Number.isFinite(costs[i])) costs[i] = replacement;
    });
    start += count;
  }
  let column = 0;
  const firstColumn = targets.map((target) => {
    column += target.labels.length;
    return column - target.labels.length;
  });
  return { costs, padded, firstColumn };
}

function readCosts(
  { logits, boxes, masks: outputs = [] }: Scored,
  targets: Target[],
  padded: number,
  masks: (MaskMatching & { places: Int32Array[] }) | undefined,
): ArrayLike<number> {
  const batch = targets.length;
  const paddedLabels = new Int32Array(batch * padded);
  const paddedBoxes = new Float32Array(batch * padded * 4);
  for (const [i, target] of targets.entries()) {
    paddedLabels.set(target.labels, i * padded);
    paddedBoxes.set(target.boxes, i * padded * 4);
  }
  const costs = tf.tidy(() => {
    const ofBoxes = pairCosts(
      logits,
      boxes,
      tf.tensor2d(paddedLabels, [batch, padded]),
      tf.tensor3d(paddedBoxes, [batch, padded, 4]),
    );
    if (!masks) return ofBoxes;
    const places = new Int32Array(batch * padded).fill(-1);
    for (const [i, of] of masks.places.entries()) places.set(of, i * padded);
    const shape: [number, number] = [batch, padded];
    const theirs = {
      pixels: masks.ground.pixels,
      places: tf.tensor2d(
        places.map((place) => Math.max(place, 0)),
        shape,
      ),
      present: tf.tensor2d(
        places.map((place) => (place < 0 ? 0 : 1)),
        shape,
        "int32",
      ),
    };
    const ofMasks = outputs.map((output, i) => maskCosts(output, theirs, masks.points[i]!, masks.settings));
    return tf.add(ofBoxes, tf.concat(ofMasks, 2));
  });
  const values = readNow(costs);
  costs.dispose();
  return values;
}

/**
 * 5 L1 + 2 focal class cost - 2 GIoU of every target with every query of its image.
 * logits [batch, queries, classes], boxes [batch, queries, 4], labels [batch, targets], targetBoxes [batch, targets, 4]
 * -> [batch, targets, queries]. Intermediate results are released early: each is as large as the result.
 */
function pairCosts(logits: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor2D, targetBoxes: tf.Tensor3D): tf.Tensor {
  const byClass = tf.transpose(logits, [0, 2, 1]); // [batch, classes, queries]
  const ofTargets = (x: tf.Tensor) => take(x, labels, 1, 1); // [batch, targets, queries]
  // The class cost depends on class and query alone: compute it where there is less of it.
  const fewClasses = byClass.shape[1]! <= labels.shape[1];
  const classCost = tf.tidy(() => (fewClasses ? ofTargets(focalCost(byClass)) : focalCost(ofTargets(byClass))));

  const mine = tf.split(tf.transpose(boxes, [0, 2, 1]), 4, 1); // four of [batch, 1, queries]
  const theirs = tf.split(targetBoxes, 4, 2); // four of [batch, targets, 1]
  const distances = mine.map((x, i) => tf.tidy(() => tf.abs(tf.sub(x, theirs[i]!))));
  const withoutGiou = consume([...distances, classCost], () => {
    const [x, y, w, h] = distances as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    return tf.add(tf.mul(tf.add(tf.add(tf.add(x, y), w), h), 5), classCost);
  });
  const giou = pairGiou(mine, theirs);
  return consume([withoutGiou, giou], () => tf.sub(withoutGiou, tf.mul(giou, 2)));
}

/** Twice the focal loss of taking the class minus that of leaving it (alpha 0.25, gamma 2), element by element. */
function focalCost(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const p = tf.sigmoid(x);
    const leave = tf.softplus(x); // -log(1 - p)
    const take = tf.sub(leave, x); // -log p
    const positive = tf.tidy(() => tf.mul(tf.mul(tf.square(tf.sub(1, p)), 0.5), take));
    const negative = tf.tidy(() => tf.mul(tf.mul(tf.square(p), 1.5), leave));
    return tf.sub(positive, negative);
  });
}

/** Generalised IoU of cxcywh boxes given by coordinate: [batch, 1, queries] and [batch, targets, 1] -> [batch, targets, queries]. */
function pairGiou(mine: tf.Tensor[], theirs: tf.Tensor[]): tf.Tensor {
  const [a, b] = [sides(mine), sides(theirs)];
  const overlap = (axis: 0 | 1) =>
    tf.tidy(() => tf.relu(tf.sub(tf.minimum(a.high[axis], b.high[axis]), tf.maximum(a.low[axis], b.low[axis]))));
  const span = (axis: 0 | 1) =>
    tf.tidy(() => tf.sub(tf.maximum(a.high[axis], b.high[axis]), tf.minimum(a.low[axis], b.low[axis])));
  const intersection = tf.tidy(() => tf.mul(overlap(0), overlap(1)));
  const union = tf.tidy(() => tf.sub(tf.add(a.area, b.area), intersection));
  const iou = consume([intersection], () => tf.div(intersection, tf.maximum(union, LEAST_AREA)));
  const enclosing = tf.tidy(() => tf.mul(span(0), span(1)));
  return consume([iou, union, enclosing], () =>
    tf.sub(iou, tf.div(tf.sub(enclosing, union), tf.maximum(enclosing, LEAST_AREA))),
  );
}

type Sides = { low: [x: tf.Tensor, y: tf.Tensor]; high: [x: tf.Tensor, y: tf.Tensor]; area: tf.Tensor };

function sides(cxcywh: tf.Tensor[]): Sides {
  const [x, y, w, h] = cxcywh as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const half = [w, h].map((size) => tf.mul(tf.relu(size), 0.5)) as [tf.Tensor, tf.Tensor];
  const low: Sides["low"] = [tf.sub(x, half[0]), tf.sub(y, half[1])];
  const high: Sides["high"] = [tf.add(x, half[0]), tf.add(y, half[1])];
  return { low, high, area: tf.mul(tf.sub(high[0], low[0]), tf.sub(high[1], low[1])) };
}

/** The result of f; everything else that f makes, and `used`, is released. */
function consume(used: tf.Tensor[], f: () => tf.Tensor): tf.Tensor {
  const result = tf.tidy(f);
  tf.dispose(used);
  return result;
}
