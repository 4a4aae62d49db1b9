// A detector small enough to train in a test, with pictures it can learn from.

import { type Architecture, VARIANTS } from "../src/architecture/variants.ts";
import { referenceKeys } from "../src/architecture/weights/table.ts";
import type { Batch } from "../src/loading/batch/batch.ts";
import { initialise } from "../src/model/init.ts";
import { createLearner, type Learner, type LearnerSettings } from "../src/step/learner.ts";
import type { StateDict } from "../src/util/hostTensor.ts";
import { rngFromSeed } from "../src/util/random/rng.ts";

export const TINY: Architecture = {
  ...VARIANTS.nano,
  encoder: { hiddenSize: 24, numAttentionHeads: 3, numHiddenLayers: 3, mlpRatio: 2 },
  outFeatureIndexes: [1, 3],
  patchSize: 8,
  positionalEncodingSize: 4,
  resolution: 32,
  hiddenDim: 16,
  saNheads: 2,
  caNheads: 4,
  dimFeedforward: 32,
  numQueries: 6,
  numSelect: 6,
  groupDetr: 3,
  numClasses: 2,
};

/** The same with a mask for each box. */
export const TINY_SEGMENTER: Architecture = { ...TINY, segmentationHead: true };

export const SETTINGS: LearnerSettings = {
  lr: 1e-3,
  lrEncoder: 1e-3,
  lrVitLayerDecay: 0.8,
  lrComponentDecay: 0.7,
  weightDecay: 1e-2,
  freezeEncoder: false,
  average: true,
};

export function tinyWeights(seed = 3, architecture = TINY): StateDict {
  return initialise(referenceKeys(architecture), seed, architecture);
}

export function tinyLearner(settings: Partial<LearnerSettings> = {}, architecture = TINY): Learner {
  return createLearner(tinyWeights(3, architecture), architecture, { ...SETTINGS, ...settings });
}

/** The batch with masks of a quarter of each box; every third object has none. */
export function withMasks(batch: Batch): Batch {
  const [, height, width] = batch.shape;
  const targets = batch.targets.map((target) => {
    const pixels = new Uint8Array(target.labels.length * height * width);
    for (const i of target.labels.keys()) {
      const [cx, cy, w, h] = target.boxes.subarray(4 * i) as unknown as [number, number, number, number];
      for (let y = Math.round((cy - h / 2) * height); y < cy * height; y++)
        pixels.fill(
          1,
          ...([cx - w / 2, cx].map((x) => (i * height + y) * width + Math.round(x * width)) as [number, number]),
        );
    }
    const present = Uint8Array.from(target.labels, (label, i) => Number((label + i + target.labels.length) % 3 > 0));
    return { ...target, masks: { size: [height, width] as [number, number], pixels, present } };
  });
  return { ...batch, targets };
}

/** Noise with one box an image (two in every other image), always the same for a seed. */
export function noiseBatch(seed: number, images: number): Batch {
  const rng = rngFromSeed(seed);
  const side = TINY.resolution;
  const numbers = Array.from({ length: images }, (_, i) => i);
  return {
    images: Float32Array.from({ length: images * side * side * 3 }, () => rng.normal()),
    shape: [images, side, side, 3],
    targets: numbers.map((i) => {
      const boxes = 1 + (i % 2);
      return {
        boxes: Float32Array.from({ length: 4 * boxes }, (_, j) =>
          j % 4 < 2 ? 0.3 + 0.4 * rng.uniform() : 0.2 + 0.2 * rng.uniform(),
        ),
        labels: Int32Array.from({ length: boxes }, () => rng.int(2)),
      };
    }),
    imageIds: numbers,
    files: numbers.map((i) => `${seed}-${i}.jpg`),
    originalSizes: numbers.map(() => [side, side] as [number, number]),
    broken: [],
    wait: 0,
  };
}

/** Some images of a batch, as a batch. */
export function part(batch: Batch, from: number, to: number): Batch {
  const [, height, width, channels] = batch.shape;
  const size = height * width * channels;
  return {
    ...batch,
    images: batch.images.slice(from * size, to * size),
    shape: [to - from, height, width, channels],
    targets: batch.targets.slice(from, to),
    imageIds: batch.imageIds.slice(from, to),
    files: batch.files.slice(from, to),
    originalSizes: batch.originalSizes.slice(from, to),
  };
}
