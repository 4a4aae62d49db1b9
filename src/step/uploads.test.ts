// What the stages of a step take from the host: a stage that is recorded once and replayed must find in its inputs all that
// changes from step to step.

import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test, vi } from "vitest";
import { noiseBatch, TINY, TINY_SEGMENTER, tinyLearner, withMasks } from "../../tests/tinyModel.ts";
import { loadBackend } from "../engine/backend.ts";
import { seededDraws } from "../loss/masks/draws.ts";
import { MASK_LOSSES } from "../loss/masks/settings.ts";
import { matchTargets } from "../loss/pairs.ts";
import { termsOf } from "../loss/terms/chosen.ts";
import { dropPathMasks } from "../model/dropPath.ts";
import { uploadPadding } from "../model/padding.ts";
import { levelSizes } from "../model/projector.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { backward, lossGradients } from "./backward.ts";
import { forward, uploadImages } from "./forward.ts";
import { disposeLearner, type Learner } from "./learner.ts";
import { trainStep } from "./step.ts";

beforeAll(() => void loadBackend());

/** Everything that `run` puts on the device, number by number, and how often it reads the device. */
function traffic<T>(run: () => T): { result: T; uploads: string[]; reads: number } {
  const backend = tf.backend();
  const write = vi.spyOn(backend, "write");
  const reads = [vi.spyOn(backend, "read"), vi.spyOn(backend, "readSync")];
  try {
    const result = run();
    const uploads = write.mock.calls.map(([values, shape, dtype]) => {
      const bytes = Buffer.from(Float64Array.from(values as ArrayLike<number>).buffer);
      return `${dtype} [${shape}] ${createHash("sha256").update(bytes).digest("hex")}`;
    });
    return { result, uploads, reads: reads.reduce((sum, spy) => sum + spy.mock.calls.length, 0) };
  } finally {
    for (const spy of [write, ...reads]) spy.mockRestore();
  }
}

/** Forward and backward of a batch whose pixels, padding, dropped blocks, boxes and scalars follow from `seed`. */
function stages(learner: Learner, seed: number) {
  const side = TINY.resolution;
  const { segmentationHead } = learner.architecture;
  const batch = segmentationHead ? withMasks(noiseBatch(seed, 2)) : noiseBatch(seed, 2);
  const masks = segmentationHead ? { settings: MASK_LOSSES, draws: seededDraws(seed) } : undefined;
  const images = uploadImages(batch, undefined);
  const mask = new Uint8Array(2 * side * side).fill(1, side * side + (side - 8 * seed) * side);
  const padding = uploadPadding({ mask, shape: batch.shape }, levelSizes(TINY, [side, side]));
  const dropPath = dropPathMasks({ rates: [0, 0.3, 0.5], rng: rngFromSeed(seed) }, TINY, { images: 2 });
  const scalars = { divisor: tf.scalar(2 + seed), share: tf.scalar(1 / seed) };
  const { result: recording, ...first } = traffic(() =>
    forward(learner, { images, padding, dropPath }, { checkpointing: "all" }),
  );
  const matched = matchTargets(recording.result, batch.targets, { groups: TINY.groupDetr, masks });
  const { result: found, ...third } = traffic(() => {
    const { seeds, table } = lossGradients(recording.result, matched, scalars, termsOf(masks?.settings));
    return [...Object.values(backward(learner, recording, seeds)), table, ...(seeds as tf.Tensor[])];
  });
  tf.dispose([images, padding, dropPath, recording.result, matched, scalars, found] as tf.TensorContainer);
  return { forward: first, backward: third };
}

const KINDS = { detector: TINY, segmenter: TINY_SEGMENTER };
const PROMISE =
  "forward and backward of a %s put the same numbers on the device in every step of a shape, and read nothing";
test.each(Object.keys(KINDS))(PROMISE, async (kind) => {
  const learner = tinyLearner({}, KINDS[kind as keyof typeof KINDS]);
  const one = stages(learner, 1);
  const settings = { clipMaxNorm: 0.1, ema: null, accumulation: "mean" as const };
  await trainStep(learner, settings, { batches: [noiseBatch(5, 2)], rateFactor: 1, step: 0 });
  const { numTensors } = tf.memory();
  const other = stages(learner, 2);
  expect(tf.memory().numTensors).toBe(numTensors);
  for (const stage of ["forward", "backward"] as const) {
    expect(one[stage].uploads.length, stage).toBeGreaterThan(0);
    expect(other[stage].uploads, stage).toEqual(one[stage].uploads);
    expect([one[stage].reads, other[stage].reads], stage).toEqual([0, 0]);
  }
  disposeLearner(learner);
});
