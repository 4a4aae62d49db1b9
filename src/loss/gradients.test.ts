import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { loadBackend } from "../engine/backend.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { boxTerms, boxTermsGradient } from "./terms/boxLoss.ts";
import { classTerms, classTermsGradient } from "./terms/classLoss.ts";

beforeAll(() => {
  loadBackend();
});

const rng = rngFromSeed(11);
const random = (n: number, low: number, high: number) =>
  Float32Array.from({ length: n }, () => low + (high - low) * rng.uniform());

/** Largest difference between the gradient and central differences of `f`, element by element. */
function compare(
  x: Float32Array,
  shape: number[],
  f: (x: tf.Tensor) => tf.Tensor,
  gradient: tf.Tensor,
  h: number,
): number {
  const analytic = gradient.dataSync();
  let worst = 0;
  for (let i = 0; i < x.length; i++) {
    const at = (shift: number) =>
      tf.tidy(
        () =>
          f(
            tf.tensor(
              Float32Array.from(x, (value, k) => (k === i ? value + shift : value)),
              shape,
            ),
          ).dataSync()[0]!,
      );
    worst = Math.max(worst, Math.abs((at(h) - at(-h)) / (2 * h) - analytic[i]!));
  }
  return worst;
}

describe("boxTermsGradient", () => {
  it("is what finite differences give, for boxes that overlap, contain each other or lie apart", () => {
    const [n, before] = [24, tf.memory().numTensors];
    // On two grids that keep every corner, centre and size of ours away from those of theirs: no kink within reach.
    const grid = (low: number, high: number, step: number) =>
      random(2 * n, low, high).map((value) => Math.round(value / step) * step);
    const centres = () => grid(0.2, 0.8, 0.02);
    const sizes = () => grid(0.1, 0.7, 0.04);
    const join = (c: Float32Array, s: Float32Array) =>
      Float32Array.from({ length: 4 * n }, (_, i) => (i % 4 < 2 ? c : s)[2 * (i >> 2) + (i % 2)]!);
    const mine = join(centres(), sizes());
    const theirs = tf.tensor2d(
      join(
        centres().map((x) => x + 0.005),
        sizes().map((x) => x + 0.005),
      ),
      [n, 4],
    );
    const dL1 = tf.tensor1d(random(n, -1, 1));
    const dGiou = tf.tensor1d(random(n, -1, 1));
    const boxes = tf.tensor2d(mine, [n, 4]);
    const f = (x: tf.Tensor) => {
      const { l1, giou } = boxTerms(x, theirs);
      return tf.sum(tf.add(tf.mul(l1, dL1), tf.mul(giou, dGiou)));
    };
    const gradient = boxTermsGradient(boxes, theirs, { dL1, dGiou });
    expect(compare(mine, [n, 4], f, gradient, 1e-3)).toBeLessThan(0.02);
    tf.dispose([theirs, dL1, dGiou, boxes, gradient]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("classTermsGradient", () => {
  it("is what finite differences give where the class target is constant", () => {
    const [shape, before] = [[2, 5, 3], tf.memory().numTensors];
    const x = random(30, -4, 3);
    const logits = tf.tensor(x, shape);
    // Without overlap the class target is the least one, whatever the logit. The last entry is padding.
    const matched = {
      entries: tf.tensor1d([3, 17, 28, 0], "int32"),
      iou: tf.zeros([4]),
      valid: tf.tensor1d([1, 1, 1, 0]),
    };
    const f = (y: tf.Tensor) => {
      const { dense, correction } = classTerms(y, matched);
      return tf.add(tf.sum(dense), tf.sum(correction));
    };
    const { p, leave, ...rest } = classTerms(logits, matched);
    const gradient = classTermsGradient(logits, p, leave, matched);
    expect(compare(x, shape, f, gradient, 1e-2)).toBeLessThan(2e-3);
    tf.dispose([logits, matched, p, leave, rest, gradient]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
