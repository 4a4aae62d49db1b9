import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import { dryRun } from "./dryRun.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "dry-"));
  await tinyDataset(join(dir, "data"));
  await mkdir(join(dir, "scratch"));
  vi.stubEnv("TMPDIR", join(dir, "scratch"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

/** What is left in the scratch folder of the program's own. */
const left = async () => (await readdir(join(dir, "scratch"))).filter((name) => name.startsWith("rfdetr"));

test("a dry run goes the whole way on a handful of images and leaves nothing", async () => {
  const { numTensors } = tf.memory();
  const images: number[] = [];
  const { parts } = await dryRun(tinyRecipe(join(dir, "data")), {
    onEvent: (event) => event.type === "evaluating" && images.push(event.images),
  });
  expect(parts.map(({ part }) => part)).toEqual([
    ...["start", "step", "save", "resume", "step", "evaluation", "save", "verify"],
  ]);
  expect(images).toEqual([2]);
  expect(await left()).toEqual([]);
  expect(tf.memory().numTensors).toBe(numTensors);
});

test("what does not work comes as the error of the run, and nothing is left either", async () => {
  const recipe = { ...tinyRecipe(join(dir, "data")), weights: join(dir, "none.safetensors") };
  await expect(dryRun(recipe)).rejects.toThrow("none.safetensors");
  const controller = new AbortController();
  const reason = new Error("stopped");
  const stopped = dryRun(tinyRecipe(join(dir, "data")), {
    signal: controller.signal,
    onPart: ({ part }) => part === "step" && controller.abort(reason),
  });
  await expect(stopped).rejects.toBe(reason);
  expect(await left()).toEqual([]);
});
