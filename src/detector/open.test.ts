import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLASSES, writeTinyOnnx, writeTinyWeights } from "../../tests/support/onnxFile.ts";
import { readWeightsFile, writeWeightsFile } from "../checkpoint/weightsFile.ts";
import { isBackendLoaded } from "../engine/backend.ts";
import { fromFloat32 } from "../util/hostTensor.ts";
import { openDetector } from "./open.ts";

let folder: string;
let [weights, onnx] = ["", ""];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "open-"));
  [weights, onnx] = [join(folder, "tiny.safetensors"), join(folder, "tiny.onnx")];
  await Promise.all([writeTinyWeights(weights), writeTinyOnnx(onnx)]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SIZES = [
  [90, 200],
  [128, 60],
] as const;

test("a file and its weights are the same detector, and only the weights need the engine", async () => {
  const file = await openDetector(onnx, { threads: 1 });
  expect(file).toMatchObject({ kind: "onnx", file: onnx, resolution: 128, nativeResolution: 128, threads: 1 });
  expect(file.runtime).toMatch(/^onnxruntime \d/);
  expect(file.device).toEqual({ kind: "cpu", name: "CPU, onnxruntime, 1 thread", warning: undefined });
  const images = Float32Array.from({ length: 2 * 128 * 128 * 3 }, (_, i) => Math.sin(i / 9));
  const found = await file.detect({ images, originalSizes: SIZES });
  expect(isBackendLoaded()).toBe(false);

  const own = await openDetector(weights, { device: "cpu" });
  expect(own).toMatchObject({ kind: "weights", file: weights, source: weights, resolution: 128, threads: undefined });
  expect(own.runtime).toMatch(/^libtensorflow 2/);
  expect(own.classes).toEqual(CLASSES);
  expect(file.classes).toEqual(CLASSES);
  const before = memory().numTensors;
  const outputs = await own.forward(images, SIZES);
  const expected = await own.select(outputs, SIZES);
  expect(memory().numTensors).toBe(before);
  expect(await own.detect({ images, originalSizes: SIZES })).toEqual(expected);
  for (const [image, { scores }] of found.entries())
    for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(expected[image]!.scores[i]!, 5);
  await own.close();
  await file.close();
  expect(memory().numTensors).toBeLessThan(before);
});

test("another side is taken where the model can take it", async () => {
  const small = await openDetector(weights, { device: "cpu", resolution: 96 });
  expect(small).toMatchObject({ resolution: 96, nativeResolution: 128 });
  const [one] = await small.detect({ images: new Float32Array(96 * 96 * 3), originalSizes: [[96, 96]] });
  expect(one!.scores.length).toBeGreaterThan(0);
  await small.close();
  const left = memory().numTensors;
  await expect(openDetector(weights, { resolution: 100 })).rejects.toThrow("must be a multiple of 32");
  expect(memory().numTensors).toBe(left);
  await expect(openDetector(onnx, { resolution: 96 })).rejects.toMatchObject({
    message: `${onnx} takes images of 128 pixels a side, not 96: that is fixed in the file.`,
    hint: "Export it again with --resolution 96.",
  });
  await expect(openDetector(onnx, { device: "gpu" })).rejects.toThrow("device: gpu was asked for");
  await expect(openDetector(onnx, { precision: "bf16" })).rejects.toMatchObject({
    message: `${onnx} cannot be computed with --precision bf16: an ONNX file has the precision that it was exported in.`,
  });
});

test("weights so large that no numbers come out are an error in either runtime", async () => {
  const detect = async (path: string) => {
    const detector = await openDetector(path, { device: "cpu" });
    const images = new Float32Array(128 * 128 * 3).fill(0.5);
    await detector.detect({ images, originalSizes: [[90, 200]] }).finally(detector.close);
  };
  const broken = [join(folder, "broken.safetensors"), join(folder, "broken.onnx")] as const;
  const { tensors, metadata } = await readWeightsFile(weights);
  const name = "transformer.decoder.norm.weight";
  const { shape } = tensors.get(name)!;
  tensors.set(name, fromFloat32(new Float32Array(shape[0]!).fill(3e38), shape));
  await writeWeightsFile(broken[0], tensors, metadata);
  await writeTinyOnnx(broken[1], { tensors });
  for (const path of broken) await expect(detect(path)).rejects.toThrow(`${path} gives scores or boxes that are not`);
});
