// Checks of hand-derived gradients, leaks and values, used by the tests of tensor functions.

import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { valueAndGradients } from "../../src/ops/differentiable.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

/** Normal numbers from a seed, as a tensor. */
export function random(shape: number[], seed: number, scale = 1): tf.Tensor {
  const rng = rngFromSeed(seed);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal() * scale);
  return tf.tensor(values, shape);
}

/**
 * The gradient of sum(f(inputs) * w), w random, must agree with central differences in a few random directions, for every
 * input. Directions rather than single elements: float32 differences of single elements drown in rounding.
 */
export function expectGradients(f: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[], tolerance = 1e-2): void {
  const variables = inputs.map((input) => tf.variable(input));
  const w = tf.tidy(() => random(f(...variables).shape, 77));
  const value = () => tf.tidy(() => tf.sum(tf.mul(f(...variables), w)).dataSync()[0]!);
  const { gradients, loss } = valueAndGradients(variables, () => ({
    loss: tf.sum(tf.mul(f(...variables), w)) as tf.Scalar,
    extra: {},
  }));
  for (const [i, variable] of variables.entries()) {
    for (const seed of [1, 2, 3]) {
      const direction = random(variable.shape, 100 + seed);
      const step = 1e-2 / Math.sqrt(variable.size);
      const start = variable.clone();
      const at = (sign: number) => {
        tf.tidy(() => variable.assign(tf.add(start, tf.mul(direction, sign * step))));
        return value();
      };
      const numeric = (at(1) - at(-1)) / (2 * step);
      variable.assign(start);
      const gradient = gradients[i];
      expect(gradient, `input ${i} has a gradient`).toBeDefined();
      const exact = tf.tidy(() => tf.sum(tf.mul(gradient!, direction)).dataSync()[0]!);
      const size = tf.tidy(() => tf.norm(gradient!).dataSync()[0]!) + 1e-3;
      expect(Math.abs(numeric - exact) / size, `input ${i}: ${numeric} against ${exact}`).toBeLessThan(tolerance);
      tf.dispose([direction, start]);
    }
  }
  tf.dispose([...variables, ...(gradients as tf.Tensor[]), loss, w]);
}

/** Runs `f`, disposes what it returns, and fails if any tensor is left. */
export function expectNoLeak(f: () => tf.TensorContainer): void {
  const before = tf.memory().numTensors;
  tf.dispose(f());
  expect(tf.memory().numTensors).toBe(before);
}

export function expectClose(actual: tf.Tensor, expected: ArrayLike<number>, tolerance: number): void {
  const values = actual.dataSync();
  expect(values.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(values[i]! - expected[i]!));
  expect(worst).toBeLessThan(tolerance);
}
