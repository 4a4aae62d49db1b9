// What the benchmarks of a step train: a new network of RF-DETR's size, and a batch of noise with ten boxes an image.

import { referenceKeys } from "../../src/architecture/weights/table.ts";
import { initialise } from "../../src/model/init.ts";
import { createLearner } from "../../src/step/learner.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

/** A learner of a variant at another resolution, and its architecture. */
export function newLearner(variant, resolution, { freezeEncoder = false } = {}) {
  const architecture = { ...variant, resolution, positionalEncodingSize: resolution / variant.patchSize };
  return createLearner(initialise(referenceKeys(architecture), 0, architecture), architecture, {
    ...{ lr: 1e-4, lrEncoder: 1.5e-4, lrVitLayerDecay: 0.8, lrComponentDecay: 0.7, weightDecay: 1e-4 },
    ...{ freezeEncoder, average: true },
  });
}

/** `masks`: makes those of an image's boxes. */
export function noiseOf(images, resolution, { seed = 0, masks } = {}) {
  const rng = rngFromSeed(seed);
  const everyImage = (value) => Array.from({ length: images }, value);
  return {
    images: Float32Array.from({ length: images * resolution * resolution * 3 }, () => rng.normal()),
    shape: [images, resolution, resolution, 3],
    targets: everyImage(() => ({
      boxes: Float32Array.from({ length: 40 }, (_, i) => [0.2 + 0.05 * Math.floor(i / 4), 0.5, 0.1, 0.2][i % 4]),
      labels: Int32Array.from({ length: 10 }, (_, i) => i),
      ...(masks && { masks: masks() }),
    })),
    imageIds: everyImage((_, i) => i),
    files: everyImage((_, i) => `image ${i}`),
    originalSizes: everyImage(() => [resolution, resolution]),
    wait: 0,
  };
}
