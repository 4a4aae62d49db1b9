import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noiseBatch, TINY, tinyLearner, tinyWeights } from "../../../tests/tinyModel.ts";
import { linkCheckpoint } from "../../checkpoint/store/links.ts";
import { saveCheckpoint } from "../../checkpoint/store/store.ts";
import { loadBackend } from "../../engine/backend.ts";
import { disposeLearner, type Learner, learnerTensors } from "../../step/learner.ts";
import { type StepSettings, trainStep } from "../../step/step.ts";
import type { UserError } from "../../util/errors.ts";
import { fromFloat32, type StateDict, toFloat32 } from "../../util/hostTensor.ts";
import { diverged, refuseNotFinite } from "./divergence.ts";

const settings: StepSettings = { clipMaxNorm: 0.1, ema: { decay: 0.99, tau: 10 }, accumulation: "whole" };

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "divergence-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** One good step, then one that `poison` spoils; returns its problem after checking that nothing was changed. */
async function poisoned(poison: (learner: Learner) => ReturnType<typeof noiseBatch>): Promise<string> {
  const learner = tinyLearner();
  await trainStep(learner, settings, { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 });
  const bad = poison(learner);
  const before = await learnerTensors(learner);
  const { numTensors } = tf.memory();
  const { problem } = await trainStep(learner, settings, { batches: [noiseBatch(3, 1), bad], rateFactor: 1, step: 0 });
  expect(tf.memory().numTensors).toBe(numTensors);
  const after = await learnerTensors(learner);
  for (const part of ["model", "ema", "optimizer"] as const)
    for (const [name, { bytes }] of before[part]!)
      expect(Buffer.compare(bytes, after[part]!.get(name)!.bytes), `${part} ${name}`).toBe(0);
  disposeLearner(learner);
  expect(problem).not.toBeNull();
  return problem!;
}

test.each([Number.NaN, Number.POSITIVE_INFINITY])(
  "an image with a pixel of %s changes nothing and is named",
  async (pixel) => {
    const problem = await poisoned(() => {
      const batch = noiseBatch(2, 2);
      batch.images[7] = pixel;
      return batch;
    });
    expect(problem).toMatch(/not a finite number: loss, .*loss_bbox.* of 2-0\.jpg, 2-1\.jpg$/);
  },
);

test("a weight that is not a number changes nothing else, and all images are named", async () => {
  const problem = await poisoned((learner) => {
    const weight = learner.weights.heads.class.weight as tf.Variable;
    tf.tidy(() => weight.assign(tf.mul(weight, Number.NaN)));
    return noiseBatch(2, 1);
  });
  expect(problem).toMatch(/loss_ce.* of 3-0\.jpg; .*loss_ce.* of 2-0\.jpg/);
});

test("a gradient that is not finite though the loss is changes nothing", async () => {
  const problem = await poisoned((learner) => {
    const weight = learner.weights.backbone.embeddings.patch.weight as tf.Variable;
    tf.tidy(() => weight.assign(tf.zerosLike(weight)));
    const batch = noiseBatch(2, 2);
    batch.images.fill(1e30, 0, 3000); // times zero in the loss, but not in the gradient of the zeros
    return batch;
  });
  expect(problem).toBe("not a finite number: the gradient of 3-0.jpg, 2-0.jpg, 2-1.jpg");
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 3e38])(
  "a target box of %s, which spoils the matcher's costs, changes nothing",
  async (value) => {
    const problem = await poisoned(() => {
      const batch = noiseBatch(2, 2);
      batch.targets[1]!.boxes[0] = value;
      return batch;
    });
    expect(problem).toMatch(/loss_bbox.* of 2-0\.jpg, 2-1\.jpg$/);
  },
);

/** A run's folder with one checkpoint. */
async function runWithCheckpoint(name: string): Promise<string> {
  const run = join(dir, name);
  const content = { tensors: { model: tinyWeights() }, state: {}, metadata: {} };
  const made = await saveCheckpoint(join(run, "checkpoints"), {
    ...content,
    epoch: 0,
    step: 4,
    epochEnd: true,
    score: 1,
  });
  await linkCheckpoint(join(run, "checkpoints"), "last", made);
  return run;
}

test.each(["model", "ema", "optimizer"] as const)(
  "a value in %s that is not finite never reaches a checkpoint; the message says where to go on",
  async (part) => {
    const run = await runWithCheckpoint(`poisoned-${part}`);
    const good: StateDict = tinyWeights();
    const bad = new Map(good);
    const values = toFloat32(good.get("class_embed.weight")!).slice();
    values[3] = Number.NEGATIVE_INFINITY;
    bad.set("class_embed.weight", fromFloat32(values, [3, TINY.hiddenDim]));
    const where = { dir: run, progress: { step: 9, skipped: 0 } };
    await refuseNotFinite(where, { model: good, ema: good, optimizer: good });
    const tensors = { model: good, ema: good, optimizer: good, [part]: bad };
    const error = (await refuseNotFinite(where, tensors).catch((reason) => reason)) as UserError;
    expect(error.message).toBe(
      `After step 9 there are values that are not finite numbers in class_embed.weight (${part}). No checkpoint was written.`,
    );
    expect(error.hint).toContain(`0000-00000004, with: rfdetr-train resume ${run}.`);
  },
);

test("a run that has diverged names images and the last good checkpoint", async () => {
  const run = await runWithCheckpoint("diverged");
  const error = await diverged({ dir: run, progress: { step: 6, skipped: 6 } }, "the gradient of a.jpg");
  expect(error.message).toBe(
    "Training has diverged: 6 steps in a row were skipped. The last one: the gradient of a.jpg.",
  );
  expect(error.hint).toContain("the last good checkpoint, 0000-00000004");
});
