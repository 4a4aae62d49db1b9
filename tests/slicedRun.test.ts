// A run on parts of pictures, from the recipe to what evaluates, exports and predicts with its weights.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSafetensors } from "../src/checkpoint/safetensors.ts";
import { loadBackend } from "../src/engine/backend.ts";
import { evaluate } from "../src/eval/measure.ts";
import { loadDetector } from "../src/eval/predict/loadDetector.ts";
import { predictToFolder } from "../src/eval/predict/predictToFolder.ts";
import { exportOnnx } from "../src/export/exportOnnx.ts";
import { writeRecipe } from "../src/recipe/load.ts";
import { checkRecipe } from "../src/train/check.ts";
import { resume, train } from "../src/train/run.ts";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";

const SLICES = { size: 32, overlap: 0.5, background: 0.5 };

let [dir, data, run] = ["", "", ""];
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "sliced-"));
  [data, run] = [join(dir, "data"), join(dir, "whole")];
  await tinyDataset(data);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function recipe() {
  const tiny = tinyRecipe(data, { train: { epochs: 1 } });
  return { ...tiny, data: { ...tiny.data, batch_size: 2, workers: 2, slices: SLICES, resample: "balanced" as const } };
}

test("a run on parts, stopped and resumed, ends in the same bytes as one that was not", async () => {
  const { events, rows, end } = await collect((options) => train(recipe(), { run, ...options }));
  expect(end.status).toBe("done");
  const { facts } = events[0] as Extract<(typeof events)[number], { type: "start" }>;
  const value = "7 training pictures become 28 parts of 32 x 32 pixels, overlap 0.5";
  expect(facts).toContainEqual({ name: "Slices", value });
  expect(rows.at(-1)).toMatchObject({ split: "val" });
  const stopped = join(dir, "stopped");
  await collect((options) => train(recipe(), { run: stopped, ...options }), 2);
  await collect((options) => resume(stopped, options));
  await expectSameRun(run, stopped);
});

test("weights and exported file say on which parts they were trained, and are evaluated so unless told otherwise", async () => {
  const best = join(run, "checkpoints", "best", "ema.safetensors");
  expect((await readSafetensors(best)).metadata.slices).toBe('{"size":32,"overlap":0.5}');
  const own = await evaluate({ weights: run, data, device: "cpu" });
  expect(own.about).toMatchObject({ images: 3, slices: "32,0.5" });
  expect(own.facts).toContain("slices   parts of 32 x 32 pixels, overlap 0.5, and whole pictures");
  const rows = (await readFile(join(run, "metrics.jsonl"), "utf8")).trim().split("\n");
  const row = rows.map((line) => JSON.parse(line)).find(({ split }) => split === "val");
  expect(own.metrics["AP50:95"]).toBeCloseTo(row["AP50:95"], 6);
  expect(own.metrics.AP50).toBeCloseTo(row.AP50, 6);

  const onnx = join(dir, "model.onnx");
  await exportOnnx({ weights: run, out: onnx, images: 2 });
  const file = await evaluate({ weights: onnx, data });
  expect(file.about).toMatchObject({ slices: "32,0.5" });
  expect(file.metrics["AP50:95"]).toBeCloseTo(own.metrics["AP50:95"]!, 4);

  const whole = await evaluate({ weights: run, data, device: "cpu", slices: "none" });
  expect(whole.about).not.toHaveProperty("slices");
});

test("predict and loadDetector look at the parts that the weights were trained on, with results in pixels of the pictures", async () => {
  const images = join(data, "valid");
  const out = join(dir, "found");
  const report = await predictToFolder({ weights: run, images: [images], out, threshold: 0.001, labels: true, crops: true, device: "cpu" }); // biome-ignore format: one line
  expect(report.images.map(({ width, height }) => [width, height])).toEqual([[40, 36], [41, 36], [42, 36]]); // biome-ignore format: one line
  const boxes = report.images.flatMap(({ width, height, detections }) => detections.map(({ bbox }) => ({ width, height, bbox }))); // biome-ignore format: one line
  expect(boxes.length).toBeGreaterThan(0);
  for (const {
    width,
    height,
    bbox: [x, y, w, h],
  } of boxes) {
    // biome-ignore format: one line
    expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
    expect(x + w).toBeLessThanOrEqual(width + 0.01);
    expect(y + h).toBeLessThanOrEqual(height + 0.01);
  }
  const detector = await loadDetector(run, { device: "cpu", threshold: 0.001 });
  expect(detector.slices).toEqual({ size: 32, overlap: 0.5 });
  const [first] = report.images;
  const objects = await detector.detect(first!.file_name);
  await detector.dispose();
  expect(objects.map(({ box }) => box[0].toFixed(2))).toEqual(first!.detections.map(({ bbox }) => bbox[0].toFixed(2)));
  const plain = await loadDetector(run, { device: "cpu", slices: "none" });
  expect(plain.slices).toBeUndefined();
  await plain.dispose();
});

test("check looks at the pictures as they are, and plans with the parts that they become", async () => {
  const file = join(dir, "recipe.yaml");
  await writeRecipe(file, recipe());
  const report = await checkRecipe(file, { cost: false });
  expect(report).toMatchObject({ ok: true, shown: 28, slices: { proposal: null } });
  expect(report.slices.parts).toBe("7 training pictures become 28 parts of 32 x 32 pixels, overlap 0.5");
  expect(report.data.splits.train).toMatchObject({ images: 7 });
  const none = await checkRecipe(file, { cost: false, overrides: ["data.slices=none"] });
  expect(none).toMatchObject({ ok: true, shown: 20, slices: { parts: null, proposal: { size: 32, parts: 4 } } });
});

test("learned by heart, parts are trained and evaluated each by itself", async () => {
  const byHeart = join(dir, "by-heart");
  const { rows, end } = await collect((options) => train(recipe(), { run: byHeart, overfit: 3, ...options }));
  expect(end.status).toBe("done");
  const { images } = JSON.parse(await readFile(join(byHeart, "evaluation.json"), "utf8"));
  expect(images).toBe(3);
  expect(rows.at(-1)).toMatchObject({ split: "val" });
});
