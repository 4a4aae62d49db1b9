// Evaluation that is recorded and replayed gives the same as operation by operation, to the byte, for the weights that train and for others.

import { memory } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { toLeaves } from "../src/checkpoint/names.ts";
import { detectWith } from "../src/detector/detector.ts";
import { detectingWith } from "../src/detector/weights.ts";
import { loadBackend } from "../src/engine/backend.ts";
import { createRecorder } from "../src/engine/recording/recorder.ts";
import { uploadWeights } from "../src/model/weights.ts";
import { averagedWeights, disposeLearner } from "../src/step/learner.ts";
import { rngFromSeed } from "../src/util/random/rng.ts";
import { TINY, tinyLearner, tinyWeights } from "./tinyModel.ts";

function noise(seed: number, images: number) {
  const rng = rngFromSeed(seed);
  return {
    images: Float32Array.from({ length: images * TINY.resolution ** 2 * 3 }, () => rng.normal()),
    originalSizes: Array.from({ length: images }, () => [80, 100] as const),
  };
}

test.skipIf(!("callFunction" in loadBackend().binding))(
  "replayed batches give the same bytes, whatever the weights, and leave no tensor",
  async () => {
    const learner = tinyLearner({ average: false });
    const raw = averagedWeights(learner); // variables, which are no others to a recording
    const other = uploadWeights(toLeaves(tinyWeights(8), TINY), () => false);
    const recorder = createRecorder({ operations: 150 });
    const rounds = [raw.weights, other].flatMap((weights) => [4, 4, 4, 3, 3, 4].map((images) => ({ weights, images })));
    const tensors: number[] = [];
    for (const [seed, { weights, images }] of rounds.entries()) {
      const batch = noise(seed, images);
      const eager = await detectWith(detectingWith(weights, TINY), batch);
      expect(await detectWith(detectingWith(weights, TINY, { recorder }), batch)).toEqual(eager);
      tensors.push(memory().numTensors);
    }
    expect(new Set(tensors).size).toBe(1);
    const news = recorder.news().map(({ text }) => text);
    expect(news.filter((line) => line.startsWith("The stage detection is replayed"))).toHaveLength(2); // of 4 images, and of 3
    expect(news).toHaveLength(2);
    recorder.dispose();
    raw.dispose();
    disposeLearner(learner);
  },
);
