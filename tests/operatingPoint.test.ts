// The operating point on its way: from a run's evaluation into its checkpoint, and from there to all that detect.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { convertWeights } from "../src/checkpoint/convert.ts";
import { readSafetensors } from "../src/checkpoint/safetensors.ts";
import { readWeightsFile, writeWeightsFile } from "../src/checkpoint/weightsFile.ts";
import { loadBackend } from "../src/engine/backend.ts";
import { loadDetector } from "../src/eval/predict/loadDetector.ts";
import { predictToFolder } from "../src/eval/predict/predictToFolder.ts";
import { exportOnnx } from "../src/export/exportOnnx.ts";
import { type OperatingPoint, operatingPointFrom } from "../src/instance/operating/point.ts";
import { train } from "../src/train/run.ts";
import { collect, labelAsFound, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";

let [dir, data, run] = ["", "", ""];
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "point-"));
  [data, run] = [join(dir, "data"), join(dir, "run")];
  await tinyDataset(data);
  const first = join(dir, "first");
  await collect((options) => train(tinyRecipe(data, { train: { epochs: 1 } }), { run: first, ...options }));
  await labelAsFound(first, { images: join(data, "valid"), out: join(dir, "labels") });
  const recipe = { ...tinyRecipe(data, { train: { max_steps: 1, lr: 1e-9, lr_encoder: 1e-9 } }), weights: first };
  await collect((options) => train(recipe, { run, ...options }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("a run's best checkpoint says what its evaluation has chosen", async () => {
  const { metadata } = await readSafetensors(join(run, "checkpoints", "best", "ema.safetensors"));
  const said = operatingPointFrom(metadata.operating_point);
  const record = JSON.parse(await readFile(join(run, "evaluation-best.json"), "utf8"));
  expect(said).toMatchObject({ rule: { by: "best-f1", at: null }, images: 3 });
  expect(said).toEqual(record.operatingPoint);
  expect(said!.threshold).toBeCloseTo(record.f1.threshold, 9);
  expect(said!.classes.map(({ name, threshold }) => [name, threshold])).toEqual([["red", null], ["blue", null]]); // biome-ignore format: one line
});

test("weights of either kind and an exported file are used at the thresholds that they say, class by class", async () => {
  const chosen: OperatingPoint = {
    ...{ rule: { by: "recall", at: 0.8 }, reached: true, threshold: 0.5, images: 3, precision: null, recall: null },
    classes: [
      { label: 0, name: "red", boxes: 40, threshold: 0.01 },
      { label: 1, name: "blue", boxes: 2, threshold: null },
    ],
  };
  const { tensors, metadata } = await readWeightsFile(join(run, "checkpoints", "best", "ema.safetensors"));
  const [own, torch, onnx] = ["own.safetensors", "own.pth", "own.onnx"].map((name) => join(dir, name)) as [string, string, string]; // biome-ignore format: one line
  const extra = { ...metadata.extra, operating_point: JSON.stringify(chosen) };
  await writeWeightsFile(own, tensors, { ...metadata, extra });
  await convertWeights(own, torch);
  await exportOnnx({ weights: own, out: onnx, data, images: 2 });
  const names: string[][] = [];
  for (const weights of [own, torch, onnx]) {
    const report = await predictToFolder({ weights, images: [join(data, "valid")], out: join(dir, `found ${names.length}`), pictures: false, device: "cpu" }); // biome-ignore format: one line
    expect(report).toMatchObject({ threshold: 0.5, thresholds: { red: 0.01 }, threshold_from: "run" });
    const found = report.images.flatMap(({ detections }) => detections);
    expect(found.every(({ category_name: name, score }) => score > (name === "red" ? 0.01 : 0.5))).toBe(true);
    names.push(found.map(({ category_name: name }) => name));
    const detector = await loadDetector(weights, { device: "cpu" });
    expect(detector).toMatchObject({ threshold: 0.5, thresholds: { red: 0.01 } });
    const first = await detector.detect(join(data, "valid", "0.png"));
    expect(first.map(({ name }) => name)).toEqual(report.images[0]!.detections.map((one) => one.category_name));
    const all = await detector.detect(join(data, "valid", "0.png"), { threshold: 0 });
    expect(all.length).toBeGreaterThan(first.length);
    await detector.dispose();
  }
  expect(names[0]).toContain("red");
  expect(names[0]).not.toContain("blue");
  expect(names[1]).toEqual(names[0]);
  expect(names[2]).toEqual(names[0]);
});
