// Cross-entropy and dice of the matched masks at points, most of them where the mask is least certain: the losses of Mask2Former by
// PointRend's sampling, as the reference's models/criterion.py has them (loss_masks).

import * as tf from "@tensorflow/tfjs-core";
import type { MaskOutput } from "../../model/heads/masks.ts";
import { differentiable, offTape } from "../../ops/differentiable.ts";
import { scatterRows, take } from "../../ops/gather.ts";
import { sampleEach, samplePixels, spreadEach, tapsAt, type Uniform, uniformNumbers } from "../../ops/masks/points.ts";
import { lossPoints, type MaskLossSettings } from "../masks/settings.ts";
import type { Term } from "./term.ts";

/** The term of a segmenter. */
export function maskTerm(settings: MaskLossSettings): Term {
  return {
    losses: { loss_mask_ce: settings.ceCoef, loss_mask_dice: settings.diceCoef },
    of({ masks }, matched, divisor) {
      const { queries, places, valid, pixels, points } = matched.masks!;
      const ofOutput = (x: tf.Tensor, i: number) => tf.reshape(tf.slice(x, [i, 0], [1, -1]), [-1]);
      const losses = masks.map((output, i) =>
        maskLosses(
          output,
          { queries: ofOutput(queries, i), places: ofOutput(places, i), valid: ofOutput(valid, i), ...points[i]! },
          { pixels, divisor, settings },
        ),
      );
      return { losses: tf.unstack(tf.stack(losses), 1) };
    },
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
  const cellsOf = (x: tf.Tensor) => tf.reshape(x, [batch, rows * columns, dim]) as tf.Tensor3D;
  return differentiable(
    { map, queries },
    (save) => {
      const mine = take(tf.reshape(queries, [-1, dim + 1]), pairs.queries); // [batch * pairs, dim + 1]
      const [weights, added] = tf.split(mine, [dim, 1], 1) as [tf.Tensor, tf.Tensor];
      const byImage = tf.reshape(weights, [batch, -1, dim]) as tf.Tensor3D;
      const products = tf.matMul(byImage, cellsOf(map), false, true);
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
      const dLogits = tf.reshape(spread, [batch, -1, rows * columns]) as tf.Tensor3D;
      return {
        map: () => tf.reshape(tf.matMul(dLogits, byImage as tf.Tensor3D, true), map.shape),
        queries: () => {
          const dWeights = tf.reshape(tf.matMul(dLogits, cellsOf(cells!)), [-1, dim]);
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
