import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { random } from "../../../tests/support/gradients.ts";
import { lossOf } from "../../../tests/support/loss.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { Target } from "../../instance/instance.ts";
import type { Detections, Outputs } from "../../model/rfdetr.ts";
import { valueAndGradients } from "../../ops/differentiable.ts";
import { criterion } from "../criterion.ts";
import { stack } from "../outputs.ts";
import { matchTargets } from "../pairs.ts";
import { maskTerm, pointGradient, pointLosses } from "../terms/masks.ts";
import { type PointDraws, seededDraws } from "./draws.ts";
import { uploadMasks } from "./ground.ts";
import { MASK_LOSSES, type MaskLossSettings } from "./settings.ts";

beforeAll(() => void loadBackend());

const [SIDE, DIM, QUERIES] = [12, 5, 6];

function output(seed: number): Outputs {
  return {
    logits: random([2, QUERIES, 3], seed) as tf.Tensor3D,
    boxes: tf.randomUniform([2, QUERIES, 4], 0.2, 0.6, "float32", seed) as tf.Tensor3D,
    masks: {
      map: random([2, SIDE, SIDE, DIM], seed + 1) as tf.Tensor4D,
      queries: random([2, QUERIES, DIM + 1], seed + 2) as tf.Tensor3D,
    },
  };
}

const detections = (): Detections => ({ layers: [output(10), output(20)], encoder: output(30) });

/** Two objects, then one. `present`: whether each of the three has a mask, which is the image's left half; else no masks at all. */
function targets(present?: number[], size: [number, number] = [20, 24]): Target[] {
  const [height, width] = size;
  const left = Uint8Array.from({ length: height * width }, (_, i) => Number(i % width < width / 2));
  return [2, 1].map((count, image) => {
    const boxes = Float32Array.from({ length: 4 * count }, (_, i) => 0.2 + 0.05 * (i + image));
    const target = { boxes, labels: new Int32Array(count) };
    if (!present) return target;
    const own = Uint8Array.from(present.slice(2 * image, 2 * image + count));
    const pixels = new Uint8Array(count * left.length);
    for (const [i, is] of own.entries()) if (is) pixels.set(left, i * left.length);
    return { ...target, masks: { size, pixels, present: own } };
  });
}

function losses(of: Target[], more: Partial<MaskLossSettings> = {}, draws = seededDraws(1, 2)) {
  const { loss, terms } = lossOf(detections(), of, {
    groups: 1,
    masks: { settings: { ...MASK_LOSSES, ...more }, draws },
  });
  return { loss: loss.dataSync()[0]!, terms: Object.fromEntries(Object.entries(terms).map(([k, v]) => [k, v.dataSync()[0]!])) }; // biome-ignore format: one line
}

const maskTerms = (terms: Record<string, number>) => Object.entries(terms).filter(([name]) => name.includes("mask"));

describe("an instance without a mask", () => {
  test("has no part in the losses of masks, and none of these is left where no instance has one", () => {
    const some = losses(targets([1, 0, 1]));
    expect(maskTerms(some.terms)).toHaveLength(6);
    for (const [name, value] of maskTerms(some.terms)) expect(value, name).toBeGreaterThan(0);
    for (const none of [losses(targets([0, 0, 0])), losses(targets())]) {
      for (const [name, value] of maskTerms(none.terms)) expect(value, name).toBe(0);
      expect(none.terms.loss_bbox).toBeGreaterThan(0);
    }
  });

  test("counts as one of no pixel where missing is empty", () => {
    const empty = losses(targets([1, 0, 1]), { missing: "empty" });
    const skipped = losses(targets([1, 0, 1]));
    expect(empty.terms.loss_mask_dice).toBeGreaterThan(skipped.terms.loss_mask_dice!);
    // as if it had a mask of no pixel
    const zeros = targets([1, 0, 1]).map((target) => ({
      ...target,
      masks: { ...target.masks!, present: new Uint8Array(target.labels.length).fill(1) },
    }));
    expect(maskTerms(empty.terms)).toEqual(maskTerms(losses(zeros).terms));
    expect(losses(targets(), { missing: "empty" }).terms.loss_mask_ce).toBeGreaterThan(0);
  });
});

test("the loss is the weighted sum, follows from the seed, and ends without targets at 0", () => {
  const { loss, terms } = losses(targets([1, 1, 1]), { ceCoef: 3, diceCoef: 2 });
  const weights: Record<string, number> = {
    loss_ce: 1,
    loss_bbox: 5,
    loss_giou: 2,
    loss_mask_ce: 3,
    loss_mask_dice: 2,
  };
  const sum = Object.entries(terms).reduce((total, [name, x]) => total + (weights[name.replace(/_(\d+|enc)$/, "")] ?? 0) * x, 0); // biome-ignore format: one line
  expect(loss).toBeCloseTo(sum, 4);
  expect(losses(targets([1, 1, 1]), {}, seededDraws(1, 2)).loss).toBe(losses(targets([1, 1, 1])).loss);
  expect(losses(targets([1, 1, 1]), {}, seededDraws(1, 3)).loss).not.toBe(losses(targets([1, 1, 1])).loss);
  const nothing = [0, 1].map(() => ({ boxes: new Float32Array(0), labels: new Int32Array(0) }));
  for (const [name, value] of maskTerms(losses(nothing).terms)) expect(value, name).toBe(0);
});

test("masks of other costs make other matches", () => {
  const of = targets([1, 1, 1]);
  const plain = losses(of, { ceCoef: 0, diceCoef: 0 });
  const heavy = losses(of, { ceCoef: 1000, diceCoef: 1000 });
  expect(heavy.terms.loss_mask_ce).toBeLessThan(plain.terms.loss_mask_ce!);
  expect(heavy.terms.loss_bbox).toBeGreaterThan(plain.terms.loss_bbox!);
});

test("masks of one batch have one size", () => {
  const [first] = targets([1, 1, 1]);
  const [other] = targets([1, 1, 1], [10, 24]);
  expect(() => uploadMasks([first!, other!], MASK_LOSSES)).toThrow("different sizes");
});

test("pointGradient is that of pointLosses", () => {
  const z = random([3, 7], 1);
  const t = tf.cast(tf.greater(random([3, 7], 2), 0), "float32");
  const [dCe, dDice] = [tf.scalar(0.7), tf.scalar(-1.3)];
  const value = (x: tf.Tensor) => {
    const { ce, dice } = pointLosses(x, t);
    return tf.add(tf.mul(tf.sum(ce), dCe), tf.mul(tf.sum(dice), dDice)).dataSync()[0]!;
  };
  const gradient = pointGradient(z, t, { dCe, dDice });
  for (const seed of [5, 6, 7]) {
    const direction = random([3, 7], seed);
    const at = (step: number) => value(tf.add(z, tf.mul(direction, step)));
    const exact = tf.sum(tf.mul(gradient, direction)).dataSync()[0]!;
    expect((at(1e-2) - at(-1e-2)) / 2e-2).toBeCloseTo(exact, 3);
  }
});

test("masks of which not all are there at a time have the same losses and gradients", () => {
  const of = targets([1, 1, 1]);
  const given = tf.randomUniform([100_000], 0, 1, "float32", 4).dataSync();
  const numbers = (count: number) => ({ numbers: tf.tensor1d(given.slice(0, count)) });
  const draws: PointDraws = {
    matching: (_, points) => numbers(2 * points),
    pairs: (_output, _which, { rows, count }) => numbers(rows * count * 2),
  };
  const run = (mostCells: number) => {
    const { layers, encoder } = detections();
    const all = [...layers, encoder];
    const outputs = stack({ layers, encoder });
    const matched = matchTargets(outputs, of, { groups: 1, masks: { settings: MASK_LOSSES, draws } });
    const leaves = all.flatMap(({ masks }) => [masks!.map, masks!.queries]);
    const terms = [maskTerm(MASK_LOSSES, { mostCells })];
    const { loss, gradients } = valueAndGradients(leaves, () => {
      return { loss: criterion(outputs, matched, { divisor: tf.scalar(3), terms }).loss, extra: {} };
    });
    return [loss, ...gradients].map((x) => [...x!.dataSync()]);
  };
  const whole = run(1e9);
  for (const parts of [run(2 * SIDE * SIDE), run(1)])
    for (const [i, numbers] of parts.entries())
      expect(Math.max(...numbers.map((x, k) => Math.abs(x - whole[i]![k]!)))).toBeLessThan(1e-5);
});
