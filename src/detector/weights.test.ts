// Detection that is recorded and replayed gives the same as operation by operation, to the byte, and keeps nothing.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { writeTinyWeights } from "../../tests/support/onnxFile.ts";
import { TINY, tinyLearner, tinyWeights } from "../../tests/tinyModel.ts";
import { toLeaves } from "../checkpoint/names.ts";
import { loadBackend } from "../engine/backend.ts";
import { recordingBinding } from "../engine/recording/kernels.ts";
import { createRecorder } from "../engine/recording/recorder.ts";
import { uploadWeights } from "../model/weights.ts";
import { averagedWeights, disposeLearner } from "../step/learner.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { detectWith } from "./detector.ts";
import { openDetector } from "./open.ts";
import { detectingWith } from "./weights.ts";

let missing = false;
let folder: string;
beforeAll(async () => {
  loadBackend();
  missing = recordingBinding() === undefined;
  folder = await mkdtemp(join(tmpdir(), "weights-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function noise(seed: number, { images, side }: { images: number; side: number }) {
  const rng = rngFromSeed(seed);
  return {
    images: Float32Array.from({ length: images * side * side * 3 }, () => rng.normal()),
    originalSizes: Array.from({ length: images }, () => [80, 100] as const),
  };
}

test("replayed batches give the same bytes, whatever the weights, and leave no tensor", async () => {
  if (missing) return;
  const learner = tinyLearner({ average: false });
  const raw = averagedWeights(learner); // variables, which are no others to a recording
  const other = uploadWeights(toLeaves(tinyWeights(8), TINY), () => false);
  const recorder = createRecorder({ operations: 150 });
  const rounds = [raw.weights, other].flatMap((weights) => [4, 4, 4, 3, 3, 4].map((images) => ({ weights, images })));
  const tensors: number[] = [];
  for (const [seed, { weights, images }] of rounds.entries()) {
    const batch = noise(seed, { images, side: TINY.resolution });
    const eager = await detectWith(detectingWith(weights, TINY), batch);
    expect(await detectWith(detectingWith(weights, TINY, recorder), batch)).toEqual(eager);
    tensors.push(memory().numTensors);
  }
  expect(new Set(tensors).size).toBe(1);
  const news = recorder.news();
  expect(news.filter((line) => line.startsWith("The stage detection is replayed"))).toHaveLength(2); // of 4 images, and of 3
  expect(news).toHaveLength(2);
  recorder.dispose();
  raw.dispose();
  disposeLearner(learner);
});

test("a detector records where many batches come, and frees that when it is closed", async () => {
  if (missing) return;
  const file = join(folder, "tiny.safetensors");
  await writeTinyWeights(file);
  const before = memory().numTensors;
  const functions = new Set<string>();
  let added = 0;
  const backend = loadBackend();
  const binding = recordingBinding()!;
  backend.binding = Object.create(binding, {
    addFunction: {
      value: (...args: Parameters<typeof binding.addFunction>) => {
        added++;
        functions.add(args[1]);
        binding.addFunction(...args);
      },
    },
    removeFunction: { value: (name: string) => functions.delete(name) && binding.removeFunction(name) },
  });
  onTestFinished(() => void Object.assign(backend, { binding }));
  const found = [];
  for (const batches of [3, 50]) {
    const detector = await openDetector(file, { device: "cpu", batches });
    const results = [];
    for (let seed = 0; seed < 4; seed++) results.push(await detector.detect(noise(seed, { images: 2, side: 128 })));
    await detector.close();
    found.push({ results, added: added > 0 });
  }
  expect(found).toEqual([
    { results: found[1]!.results, added: false },
    { results: found[1]!.results, added: true },
  ]);
  expect(functions.size).toBe(0);
  expect(memory().numTensors).toBe(before);
});
