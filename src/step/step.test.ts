import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { noiseBatch, part, SETTINGS, TINY, tinyLearner } from "../../tests/tinyModel.ts";
import { loadBackend } from "../engine/backend.ts";
import { EAGER, type Recorder } from "../engine/recording/recorder.ts";
import type { StateDict } from "../util/hostTensor.ts";
import { toFloat32 } from "../util/hostTensor.ts";
import { blockRates } from "./dropPath.ts";
import { createLearner, disposeLearner, type Learner, learnerTensors, restoreLearner, trainable } from "./learner.ts";
import { computeStep, type StepSettings, trainStep } from "./step.ts";

const settings: StepSettings = { clipMaxNorm: 0.1, ema: { decay: 0.99, tau: 10 }, accumulation: "mean" };

beforeAll(() => {
  loadBackend();
});

function expectSame(a: StateDict, b: StateDict) {
  expect([...a.keys()]).toEqual([...b.keys()]);
  for (const [name, { bytes }] of a) expect(Buffer.compare(bytes, b.get(name)!.bytes), name).toBe(0);
}

test("the loss falls over steps on one batch, and the rows have the reference's terms", async () => {
  const learner = tinyLearner();
  const batch = noiseBatch(1, 2);
  const first = await trainStep(learner, settings, { batches: [batch], rateFactor: 1, step: 0 });
  for (let i = 0; i < 20; i++)
    await trainStep(learner, { ...settings, clipMaxNorm: 10 }, { batches: [batch], rateFactor: 2, step: 0 });
  const last = await trainStep(learner, settings, { batches: [batch], rateFactor: 1, step: 0 });
  expect(last.loss).toBeLessThan(first.loss);
  const suffixes = ["", "_0", "_enc"];
  const expected = suffixes.flatMap((s) =>
    ["loss_ce", "loss_bbox", "loss_giou", "cardinality_error"].map((n) => n + s),
  );
  expect(Object.keys(first.terms).sort()).toEqual([...expected, "class_error"].sort());
  const sum = suffixes.reduce(
    (total, s) =>
      total + first.terms[`loss_ce${s}`]! + 5 * first.terms[`loss_bbox${s}`]! + 2 * first.terms[`loss_giou${s}`]!,
    0,
  );
  expect(first.loss).toBeCloseTo(sum, 4);
  disposeLearner(learner);
});

test("a norm limit of 0 clips nothing", async () => {
  const after = async (clipMaxNorm: number) => {
    const learner = tinyLearner();
    for (let i = 0; i < 2; i++)
      await trainStep(learner, { ...settings, clipMaxNorm }, { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 });
    const tensors = await learnerTensors(learner);
    disposeLearner(learner);
    return tensors.optimizer;
  };
  const unclipped = await after(0);
  expectSame(unclipped, await after(1e6));
  const clipped = await after(0.1);
  expect([...unclipped].some(([name, { bytes }]) => Buffer.compare(bytes, clipped.get(name)!.bytes) !== 0)).toBe(true);
});

test("fifty steps leak no tensor, with accumulation, too", async () => {
  const before = tf.memory().numTensors;
  const learner = tinyLearner();
  const batches = [noiseBatch(1, 2), noiseBatch(2, 1)];
  for (let i = 0; i < 2; i++) await trainStep(learner, settings, { batches, rateFactor: 1, step: 0 });
  const { numTensors, numDataBuffers } = tf.memory();
  for (let i = 0; i < 50; i++) await trainStep(learner, settings, { batches, rateFactor: 1, step: 0 });
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
  disposeLearner(learner);
  expect(tf.memory().numTensors).toBe(before);
});

test("a step that is given up throws the reason at its next pause, changes no weight and leaves no tensor", async () => {
  const learner = tinyLearner();
  const batches = [noiseBatch(1, 2), noiseBatch(2, 1)];
  await trainStep(learner, settings, { batches, rateFactor: 1, step: 0 });
  const before = await learnerTensors(learner);
  const { numTensors } = tf.memory();
  let [parts, reached] = [0, 0];
  for (let at = 1; ; at++) {
    const controller = new AbortController();
    parts = 0;
    const recorder: Recorder = {
      ...EAGER,
      chain: (...which) => {
        const chain = EAGER.chain(...which);
        const part: typeof chain.part = (inputs, run) => {
          if (++parts === at) controller.abort(new Error("given up"));
          return chain.part(inputs, run);
        };
        return { ...chain, part };
      },
    };
    const { signal: giveUp } = controller;
    const step = computeStep(learner, { ...settings, recorder }, { batches, step: 1, giveUp });
    if (at === 7) {
      (await step).dispose(); // the numbers are read by then
      break;
    }
    await expect(step).rejects.toThrow("given up");
    expect(parts).toBe(at);
    reached++;
    expect(tf.memory().numTensors).toBe(numTensors);
  }
  expect({ parts, reached }).toEqual({ parts: 7, reached: 6 }); // network, loss and network again of each batch, numbers
  const after = await learnerTensors(learner);
  for (const key of ["model", "ema", "optimizer"] as const) expectSame(before[key]!, after[key]!);
  disposeLearner(learner);
});

test("accumulated over the whole step, batches of any sizes give the losses and the gradient of one large batch", async () => {
  const [together, apart] = [tinyLearner(), tinyLearner()];
  const whole: StepSettings = { ...settings, accumulation: "whole" };
  const batch = noiseBatch(4, 4);
  const one = await trainStep(together, whole, { batches: [batch], rateFactor: 1, step: 0 });
  const many = await trainStep(apart, whole, {
    batches: [part(batch, 0, 1), part(batch, 1, 4)],
    rateFactor: 1,
    step: 0,
  });
  expect(many.loss / one.loss).toBeCloseTo(1, 5);
  expect(many.gradNorm / one.gradNorm).toBeCloseTo(1, 4);
  for (const [name, value] of Object.entries(one.terms))
    expect(many.terms[name], name).toBeCloseTo(value, name.includes("error") ? -2 : 4);
  for (const learner of [together, apart]) disposeLearner(learner);
});

test("accumulated as a mean, batches with as many boxes each give the gradient of one large batch", async () => {
  const [together, apart] = [tinyLearner(), tinyLearner()];
  const batch = noiseBatch(4, 4);
  const one = await trainStep(together, settings, { batches: [batch], rateFactor: 1, step: 0 });
  const two = await trainStep(apart, settings, {
    batches: [part(batch, 0, 2), part(batch, 2, 4)],
    rateFactor: 1,
    step: 0,
  });
  expect(two.loss / one.loss).toBeCloseTo(1, 5);
  expect(two.gradNorm / one.gradNorm).toBeCloseTo(1, 4);
  for (const learner of [together, apart]) disposeLearner(learner);
});

test("a frozen encoder keeps its weights, has no moments, and the rest trains", async () => {
  const learner = tinyLearner({ freezeEncoder: true });
  const before = await learnerTensors(learner);
  for (let i = 0; i < 2; i++)
    await trainStep(learner, settings, { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 });
  const after = await learnerTensors(learner);
  for (const [name, { bytes }] of before.model) {
    if (name === "_kp_active_mask") continue;
    const frozen = name.startsWith("backbone.0.encoder.");
    if (frozen) expect(Buffer.compare(bytes, after.model.get(name)!.bytes), name).toBe(0);
    expect(after.optimizer.has(`exp_avg.${name}`), name).toBe(!frozen);
  }
  expect(
    Buffer.compare(before.model.get("class_embed.weight")!.bytes, after.model.get("class_embed.weight")!.bytes),
  ).not.toBe(0);
  disposeLearner(learner);
});

test("a weight without a gradient is not decayed, and has no moments", async () => {
  const learner = tinyLearner({ weightDecay: 0.5 });
  const name = "backbone.0.encoder.encoder.embeddings.mask_token";
  const before = await learnerTensors(learner);
  await trainStep(learner, settings, { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 });
  const after = await learnerTensors(learner);
  expect(after.model.get(name)).toEqual(before.model.get(name));
  expect(after.optimizer.has(`step.${name}`)).toBe(false);
  expect(toFloat32(after.optimizer.get("step.class_embed.bias")!)).toEqual(Float32Array.of(1));
  disposeLearner(learner);
});

test("a weight that trains and is in no parameter group is an error and gets no rate by default", async () => {
  const learner = tinyLearner();
  learner.groups = learner.groups.map((group) => ({ ...group, paths: group.paths.filter((p) => p !== "heads.class.bias") })); // biome-ignore format: one line
  const step = trainStep(learner, settings, { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 });
  await expect(step).rejects.toThrow("the weight heads.class.bias is in no parameter group");
  disposeLearner(learner);
});

test("a step that is not finite changes nothing and names images and terms", async () => {
  const learner = tinyLearner();
  await trainStep(learner, settings, { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 });
  const before = await learnerTensors(learner);
  const bad = noiseBatch(2, 2);
  bad.images[5] = Number.NaN;
  const { numTensors } = tf.memory();
  const result = await trainStep(learner, settings, { batches: [noiseBatch(1, 2), bad], rateFactor: 1, step: 0 });
  expect(result.problem).toMatch(/loss_ce/);
  expect(result.problem).toContain("2-0.jpg, 2-1.jpg");
  expect(result.problem).not.toContain("1-0.jpg");
  expect(tf.memory().numTensors).toBe(numTensors);
  const after = await learnerTensors(learner);
  for (const which of ["model", "ema", "optimizer"] as const) expectSame(after[which]!, before[which]!);
  disposeLearner(learner);
});

test("in a multi-scale step all batches have the side of the step, the model's other sides included", async () => {
  const side = TINY.resolution;
  const sides = [side, 2 * side]; // steps 0 to 2 take 2 * side, side, side
  const [fixed, scaled] = [tinyLearner(), tinyLearner()];
  const batches = [noiseBatch(1, 2), noiseBatch(2, 1)];
  const plain = await trainStep(fixed, settings, { batches, rateFactor: 1, step: 0 });
  const { numTensors } = tf.memory();
  expect(await trainStep(scaled, { ...settings, sides, ema: null }, { batches, rateFactor: 0, step: 1 })).toEqual(
    plain,
  );
  const larger = await trainStep(scaled, { ...settings, sides, ema: null }, { batches, rateFactor: 0, step: 0 });
  expect(larger.problem).toBeNull();
  expect(larger.loss).not.toBe(plain.loss);
  expect(tf.memory().numTensors - numTensors).toBe(2 * trainedCount(scaled)); // the moments
  for (const learner of [fixed, scaled]) disposeLearner(learner);
});

/** Weights that the loss reaches, which have moments. */
function trainedCount(learner: Learner): number {
  return trainable(learner.weights).length - 1; // the mask token is never used
}

test("a padded batch trains", async () => {
  const learner = tinyLearner();
  const batch = noiseBatch(1, 2);
  const side = TINY.resolution;
  const mask = new Uint8Array(2 * side * side).fill(1, side * side + (side / 2) * side);
  const padded = await trainStep(learner, settings, { batches: [{ ...batch, mask }], rateFactor: 0, step: 0 });
  expect(padded.problem).toBeNull();
  const { numTensors } = tf.memory();
  await trainStep(learner, settings, { batches: [{ ...batch, mask }], rateFactor: 0, step: 0 });
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(padded.loss).not.toBe((await trainStep(learner, settings, { batches: [batch], rateFactor: 0, step: 0 })).loss);
  disposeLearner(learner);
});

test("drop path follows from seed, step and batch alone, and rates of zero drop nothing", async () => {
  const loss = async (rate: number | null, seed: number, step: number) => {
    const learner = tinyLearner();
    const dropPath = rate === null ? undefined : { rates: blockRates(rate, TINY), seed };
    const result = await trainStep(
      learner,
      { ...settings, dropPath },
      { batches: [noiseBatch(1, 2), noiseBatch(1, 2)], rateFactor: 1, step },
    );
    disposeLearner(learner);
    return result.loss;
  };
  const dropped = await loss(0.5, 7, 3);
  expect(await loss(0.5, 7, 3)).toBe(dropped);
  expect(await loss(0.5, 7, 4)).not.toBe(dropped);
  expect(await loss(0.5, 8, 3)).not.toBe(dropped);
  expect(await loss(0, 7, 3)).toBe(await loss(null, 7, 3));
});

test("a learner restored from its tensors goes on with the same bytes", async () => {
  const learner = tinyLearner();
  const batches = [1, 2, 3, 4].map((seed) => noiseBatch(seed, 2));
  for (const batch of batches.slice(0, 2))
    await trainStep(learner, settings, { batches: [batch], rateFactor: 1, step: 0 });
  const saved = await learnerTensors(learner);
  const copy = createLearner(saved.model, TINY, SETTINGS);
  restoreLearner(copy, saved, learner.ema!.updates);
  for (const batch of batches.slice(2)) {
    const a = await trainStep(learner, settings, { batches: [batch], rateFactor: 0.5, step: 0 });
    const b = await trainStep(copy, settings, { batches: [batch], rateFactor: 0.5, step: 0 });
    expect(b).toEqual(a);
  }
  const [a, b] = [await learnerTensors(learner), await learnerTensors(copy)];
  for (const which of ["model", "ema", "optimizer"] as const) expectSame(a[which]!, b[which]!);
  expect(trainable(copy.weights).length).toBe(trainable(learner.weights).length);
  for (const one of [learner, copy]) disposeLearner(one);
});
