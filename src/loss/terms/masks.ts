// Cross-entropy and dice of the matched masks at points, most of them where the mask is least certain: the losses of Mask2Former by
// PointRend's sampling, as the reference's models/criterion.py has them (loss_masks).

import * as tf from "@tensorflow/tfjs-core";
import type { MaskOutput } from "../../model/heads/masks.ts";
import { differentiable, offTape } from "../../ops/differentiable.ts";
import { scatterRows, take } from "../../ops/gather.ts";
import { sampleEach, samplePixels, spreadEach, tapsAt, type Uniform, uniformNumbers } from "../../ops/masks/points.ts";
import { product } from "../../ops/product.ts";
import type { MaskPairs } from "../masks/pairs.ts";
import { lossPoints, type MaskLossSettings } from "../masks/settings.ts";
import type { Term } from "./term.ts";

/** Cells of masks that are there at a time: with many objects in large images they would be gigabytes. */
const MOST_CELLS = 8_000_000;

/** The term of a segmenter. */
export function maskTerm(settings: MaskLossSettings, { mostCells = MOST_CELLS } = {}): Term {
  return {
    losses: { loss_mask_ce: settings.ceCoef, loss_mask_dice: settings.diceCoef },
    of({ masks }, matched, divisor) {
      const { pixels } = matched.masks!;
      const losses = masks.map((output, i) => {
        const [batch, rows, columns] = output.map.shape;
        const pairs = matched.masks!.valid.shape[1] / batch;
        const most = Math.max(1, Math.floor(mostCells / (batch * rows * columns)));
        const parts = Array.from({ length: Math.ceil(pairs / most) }, (_, part) => {
          const of = { batch, from: part * most, count: Math.min(most, pairs - part * most), part };
          return maskLosses(output, partOf(matched.masks!, i, of), { pixels, divisor, settings });
        });
        return parts.reduce((sum, part) => tf.add(sum, part));
      });
      return { losses: tf.unstack(tf.stack(losses), 1) };
    },
  };
}

/** Some pairs of every image, of one output. Each part draws points of its own. */
function partOf(
  { queries, places, valid, points }: MaskPairs,
  output: number,
  { batch, from, count, part }: { batch: number; from: number; count: number; part: number },
): Pairs {
  const some = (x: tf.Tensor) => {
    const own = tf.reshape(tf.slice(x, [output, 0], [1, -1]), [batch, -1]);
    return tf.reshape(tf.slice(own, [0, from], [-1, count]), [-1]);
  };
  const draw = (given: Uniform): Uniform => {
    if ("seed" in given) return { seed: part === 0 ? given.seed : tf.add(given.seed, tf.tensor1d([part, 0], "int32")) };
    const own = tf.reshape(given.numbers, [batch, valid.shape[1] / batch, -1]);
    return { numbers: tf.slice(own, [0, from, 0], [-1, count, -1]) };
  };
  const { candidates, drawn } = points[output]!;
  return {
    ...{ queries: some(queries), places: some(places), valid: some(valid) },
    ...{ candidates: draw(candidates), drawn: draw(drawn) },
  };
}

/** The pairs of one output, [batch * pairs] each, and what their points are drawn from. */
type Pairs = { queries: tf.Tensor; places: tf.Tensor; valid: tf.Tensor; candidates: Uniform; drawn: Uniform };

/** [2]: cross-entropy, then dice. Only the masks of the pairs are multiplied out, and nothing of their size is kept for the gradient. */
function maskLosses(
  { map, queries }: MaskOutput,
  pairs: Pairs,
  { pixels, divisor, settings }: { pixels: tf.Tensor; divisor: tf.Scalar; settings: MaskLossSettings },
): tf.Tensor {
  const [batch, rows, columns, dim] = map.shape;
  const size = [rows, columns] as const;
  const cellsOf = (x: tf.Tensor) => tf.reshape(x, [batch, rows * columns, dim]);
  return differentiable(
    { map, queries },
    (save) => {
      const mine = take(tf.reshape(queries, [-1, dim + 1]), pairs.queries); // [batch * pairs, dim + 1]
      const [weights, added] = tf.split(mine, [dim, 1], 1) as [tf.Tensor, tf.Tensor];
      const byImage = tf.reshape(weights, [batch, -1, dim]);
      const products = product(byImage, cellsOf(map), { transpose: "right" });
      const logits = tf.add(tf.reshape(products, [-1, rows * columns]), added);
      products.dispose();
      const points = choosePoints(logits, pairs, { size, settings });
      const z = sampleEach(logits, tapsAt(points, size));
      logits.dispose();
      const t = samplePixels(pixels, tf.expandDims(pairs.places, 1), points);
      save(map, byImage, pairs.queries, pairs.valid, points, z, t, divisor);
      const sums = Object.values(pointLosses(z, t)).map((loss) => tf.sum(tf.mul(loss, pairs.valid)));
      return tf.div(tf.stack(sums), divisor);
    },
    (dy, [cells, byImage, rowsOf, valid, points, z, t, by]) => {
      const [dCe, dDice] = tf.unstack(tf.div(dy, by!)) as [tf.Tensor, tf.Tensor];
      const dz = tf.mul(pointGradient(z!, t!, { dCe, dDice }), tf.expandDims(valid!, 1)); // [batch * pairs, points]
      const spread = spreadEach(dz, tapsAt(points!, size), rows * columns);
      const dLogits = tf.reshape(spread, [batch, -1, rows * columns]);
      return {
        map: () => tf.reshape(product(dLogits, byImage!, { transpose: "left" }), map.shape),
        queries: () => {
          const dWeights = tf.reshape(product(dLogits, cellsOf(cells!)), [-1, dim]);
          const all = tf.concat([dWeights, tf.sum(dz, 1, true)], 1);
          return tf.reshape(scatterRows(all, rowsOf!, batch * queries.shape[1]!), queries.shape);
        },
      };
    },
  );
}

/** Of every mask its least certain candidates, and some drawn anywhere. logits: [masks, cells] -> [masks, points, 2]. Off the tape. */
function choosePoints(
  logits: tf.Tensor,
  { candidates, drawn }: Pick<Pairs, "candidates" | "drawn">,
  { size, settings }: { size: readonly [number, number]; settings: MaskLossSettings },
): tf.Tensor {
  const counts = lossPoints(size, settings);
  const masks = logits.shape[0]!;
  return offTape(() =>
    tf.tidy(() => {
      const at = uniformNumbers(candidates, [masks, counts.candidates, 2]);
      const certainty = tf.abs(sampleEach(logits, tapsAt(at, size)));
      const { indices } = tf.topk(tf.neg(certainty), counts.kept, false);
      const kept = take(at, indices, 1, 1);
      return counts.drawn > 0 ? tf.concat([kept, uniformNumbers(drawn, [masks, counts.drawn, 2])], 1) : kept;
    }),
  );
}

/** Logits and labels [masks, points] -> both losses of each mask, [masks]. Off the tape. */
export function pointLosses(z: tf.Tensor, t: tf.Tensor): { ce: tf.Tensor; dice: tf.Tensor } {
  return tf.tidy(() => {
    const { twice, either } = overlap(tf.sigmoid(z), t);
    return {
      ce: tf.mean(tf.sub(tf.softplus(z), tf.mul(z, t)), 1),
      dice: tf.reshape(tf.sub(1, tf.div(twice, either)), [-1]),
    };
  });
}

/** Of the sum of both losses of all masks, with these weights: [masks, points]. Off the tape. */
export function pointGradient(
  z: tf.Tensor,
  t: tf.Tensor,
  { dCe, dDice }: { dCe: tf.Tensor; dDice: tf.Tensor },
): tf.Tensor {
  return tf.tidy(() => {
    const p = tf.sigmoid(z);
    const { twice, either } = overlap(p, t);
    const ofCe = tf.mul(tf.sub(p, t), tf.div(dCe, z.shape[1]!));
    // d(twice / either)/dp = (2 t either - twice) / either^2
    const ofOverlap = tf.div(tf.sub(tf.mul(tf.mul(t, 2), either), twice), tf.square(either));
    const ofDice = tf.mul(tf.mul(ofOverlap, tf.mul(p, tf.sub(1, p))), tf.neg(dDice));
    return tf.add(ofCe, ofDice);
  });
}

/** Numerator and denominator of dice, each with 1 added: [masks, 1]. */
function overlap(p: tf.Tensor, t: tf.Tensor): { twice: tf.Tensor; either: tf.Tensor } {
  const sum = (x: tf.Tensor) => tf.sum(x, 1, true);
  return { twice: tf.add(tf.mul(sum(tf.mul(p, t)), 2), 1), either: tf.add(tf.add(sum(p), sum(t)), 1) };
}
