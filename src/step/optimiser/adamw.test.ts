import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { loadBackend } from "../../engine/backend.ts";
import { withPlainOperations } from "../../engine/ownKernels.ts";
import { recordingBinding } from "../../engine/recording/kernels.ts";
import { createRecorder } from "../../engine/recording/recorder.ts";
import { adamW, clipFactor, disposeAdamW, globalNorm, readMoments, updateWeights, writeMoments } from "./adamw.ts";
import { disposeEma, ema, readAverage, updateEma } from "./ema.ts";

type Reference = {
  shapes: number[][];
  options: { lr: number; weight_decay: number }[];
  start: number[][];
  maxNorm: number;
  steps: { factor: number; gradients: (number[] | null)[]; norm: number; weights: number[][] }[];
  moments: { first: number[]; second: number[]; steps: number }[];
};
const reference = (JSON.parse(readFileSync("tests/fixtures/train/reference.json", "utf8")) as { adamw: Reference })
  .adamw;

beforeAll(() => {
  loadBackend();
});

function startWeights(): tf.Variable[] {
  return reference.start.map((values, i) => tf.tidy(() => tf.variable(tf.tensor(values, reference.shapes[i]!), true)));
}

async function step(optimizer: ReturnType<typeof adamW>, weights: tf.Variable[], index: number): Promise<number> {
  const { factor, gradients, norm } = reference.steps[index]!;
  const updates = weights.flatMap((weight, i) => {
    const values = gradients[i];
    const { lr, weight_decay } = reference.options[i]!;
    if (!values) return [];
    const gradient = tf.tensor(values, reference.shapes[i]!);
    return [{ path: `w${i}`, weight, gradient, lr: lr * factor, weightDecay: weight_decay }];
  });
  const gradientTensors = updates.map(({ gradient }) => gradient);
  const ours = globalNorm(gradientTensors);
  const value = ours.dataSync()[0]!;
  expect(value / norm).toBeCloseTo(1, 6);
  await updateWeights(optimizer, updates, { scale: clipFactor(value, reference.maxNorm) });
  tf.dispose([ours, ...gradientTensors]);
  return value;
}

function expectClose(ours: ArrayLike<number>, theirs: number[], relative: number, absolute = 1e-12) {
  expect(ours.length).toBe(theirs.length);
  theirs.forEach((value, i) => {
    expect(Math.abs(ours[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * relative + absolute);
  });
}

test("seven clipped updates with changing rates, decay and missing gradients give torch's weights and moments", async () => {
  const weights = startWeights();
  const optimizer = adamW();
  for (let i = 0; i < reference.steps.length; i++) {
    await step(optimizer, weights, i);
    weights.forEach((weight, j) => {
      expectClose(weight.dataSync(), reference.steps[i]!.weights[j]!, 1e-6, 1e-7);
    });
  }
  const moments = await readMoments(optimizer);
  reference.moments.forEach(({ first, second, steps }, i) => {
    expectClose(moments.get(`w${i}`)!.first, first, 3e-6, 1e-8);
    expectClose(moments.get(`w${i}`)!.second, second, 3e-5, 1e-10); // 1 - beta2 in float32
    expect(moments.get(`w${i}`)!.steps).toBe(steps);
  });
  disposeAdamW(optimizer);
  tf.dispose(weights);
});

test("an optimizer restored from its saved moments goes on with the same bytes", async () => {
  const [weights, optimizer] = [startWeights(), adamW()];
  for (let i = 0; i < 4; i++) await step(optimizer, weights, i);
  const restored = adamW();
  writeMoments(restored, await readMoments(optimizer));
  const copies = weights.map((weight) => tf.tidy(() => tf.variable(weight.clone(), true)));
  for (let i = 4; i < 7; i++) {
    await step(optimizer, weights, i);
    await step(restored, copies, i);
  }
  weights.forEach((weight, i) => {
    expect(copies[i]!.dataSync()).toEqual(weight.dataSync());
  });
  for (const one of [optimizer, restored]) disposeAdamW(one);
  tf.dispose([weights, copies]);
});

test("a tensor that shares a weight's memory keeps its values through an update, and nothing leaks", async () => {
  const before = tf.memory().numTensors;
  const [weights, optimizer] = [startWeights(), adamW()];
  const old = weights[0]!.clone();
  await step(optimizer, weights, 0);
  expectClose(old.dataSync(), reference.start[0]!, 1e-6);
  await step(optimizer, weights, 3); // from here on every weight has its moments
  const during = tf.memory().numTensors;
  for (let i = 0; i < 50; i++) await step(optimizer, weights, i % 7);
  expect(tf.memory().numTensors).toBe(during);
  disposeAdamW(optimizer);
  tf.dispose([weights, old]);
  expect(tf.memory().numTensors).toBe(before);
});

test("updates that are recorded and replayed give the same bytes", async (context) => {
  if (recordingBinding() === undefined) context.skip();
  const recorder = createRecorder({ operations: 5 });
  const outcomes = [];
  for (const one of [undefined, recorder]) {
    const [weights, optimizer, averages] = [startWeights(), adamW(), ema()];
    for (let i = 0; i < 6; i++) {
      const updates = weights.map((weight, j) => ({
        ...{ path: `w${j}`, weight, gradient: tf.sin(tf.mul(weight, 100 * i + 1)) },
        ...{ lr: (j + 1) * 0.01, weightDecay: j === 0 ? 0 : 0.1 },
      }));
      const options = { scale: 0.5 + i / 10, ...(one && { recorder: one }) };
      await withPlainOperations(() => updateWeights(optimizer, updates, options));
      const pairs = weights.map((weight, j): [string, tf.Tensor] => [`w${j}`, weight]);
      await withPlainOperations(() =>
        updateEma(averages, pairs, { decay: 0.9, tau: 2, ...(one && { recorder: one }) }),
      );
      tf.dispose(updates.map(({ gradient }) => gradient));
    }
    const means = weights.map((_, j) => readAverage(averages, `w${j}`)!);
    outcomes.push({
      weights: weights.map((weight) => weight.dataSync()),
      means: means.map((mean) => mean.dataSync()),
      moments: await readMoments(optimizer),
    });
    tf.dispose([...weights, ...means]);
    disposeAdamW(optimizer);
    disposeEma(averages);
  }
  expect(outcomes[1]).toEqual(outcomes[0]);
  expect(recorder.news().map(({ text: line }) => line.split(":")[0])).toEqual([
    "The stage update is replayed from now on",
    "The stage average is replayed from now on",
  ]);
  recorder.dispose();
});
