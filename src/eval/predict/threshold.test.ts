import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { chooseThreshold } from "./threshold.ts";

/** A run's folder with a checkpoint of step 20, and an evaluation after `step`. */
async function runWith(f1: { f1: number; threshold: number }, step = 20): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "threshold-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const checkpoint = join(dir, "checkpoints", "0001-00000020");
  await mkdir(checkpoint, { recursive: true });
  const manifest = { format: 1, epoch: 1, step: 20, epochEnd: true, score: 0.4, files: {} };
  await writeFile(join(checkpoint, "manifest.json"), JSON.stringify(manifest));
  const lists = { perClass: [], confusion: { classes: [], counts: [] }, precisionRecall: { classes: [] }, f1Sweep: [] };
  const record = { format: 1, step, ...lists, pictures: [], threshold: 0.5, f1: { ...f1, precision: 1, recall: 1 } };
  await writeFile(join(dir, "evaluation.json"), JSON.stringify(record));
  return join(checkpoint, "ema.safetensors");
}

const weights = (file: string) => ({ kind: "weights" as const, file, threshold: undefined });

test("is the one of the best F1 of the evaluation that belongs to the checkpoint", async () => {
  const file = await runWith({ f1: 0.6, threshold: 0.35 });
  expect(await chooseThreshold("auto", weights(file))).toEqual({ value: 0.35, from: "run" });
  expect(await chooseThreshold(0.2, weights(file))).toEqual({ value: 0.2, from: "given" });
});

test.each([
  ["nothing was found", { f1: 0, threshold: 0 }, 20],
  ["the evaluation is of another step", { f1: 0.6, threshold: 0.35 }, 30],
  ["the record is damaged", { f1: 0.6, threshold: 35 }, 20],
])("is 0.5 where %s", async (_, f1, step) => {
  expect(await chooseThreshold("auto", weights(await runWith(f1, step)))).toEqual({ value: 0.5, from: "default" });
});

test("is what an exported file says, and 0.5 for a file that says nothing", async () => {
  const onnx = { kind: "onnx" as const, file: "model.onnx" };
  expect(await chooseThreshold("auto", { ...onnx, threshold: 0.3 })).toEqual({ value: 0.3, from: "run" });
  expect(await chooseThreshold("auto", { ...onnx, threshold: undefined })).toEqual({ value: 0.5, from: "default" });
});
