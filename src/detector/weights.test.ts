// Weights that many batches are expected for are recorded, which changes no detection and keeps nothing.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { writeTinyWeights } from "../../tests/support/onnxFile.ts";
import { loadBackend } from "../engine/backend.ts";
import { recordingBinding } from "../engine/recording/kernels.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { openDetector } from "./open.ts";

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

test("in bfloat16 a detector finds nearly the same, and says that it computes so", async () => {
  const file = join(folder, "precise.safetensors");
  await writeTinyWeights(file);
  const found = [];
  for (const precision of ["none", "bf16"] as const) {
    const detector = await openDetector(file, { device: "cpu", precision });
    const [one] = await detector.detect(noise(1, { images: 1, side: 128 }));
    await detector.close();
    found.push({ scores: [...one!.scores], inBfloat16: detector.runtime.endsWith(" in bfloat16") });
  }
  const [exact, rounded] = found;
  expect(found.map(({ inBfloat16 }) => inBfloat16)).toEqual([false, true]);
  expect(rounded!.scores).not.toEqual(exact!.scores);
  for (const [i, score] of exact!.scores.entries()) expect(Math.abs(rounded!.scores[i]! - score)).toBeLessThan(0.05);
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
        if (args[1].includes("_detection_")) functions.add(args[1]); // others find out what kernels there are
        added = Math.max(added, functions.size);
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
