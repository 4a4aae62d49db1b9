import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeTinyWeights } from "../../../tests/support/onnxFile.ts";
import { loadBackend } from "../../engine/backend.ts";
import { type Prediction, type PredictOptions, predict } from "./predict.ts";

type Expected = {
  seed: number;
  threshold: number;
  images: Record<string, { boxes: number[][]; scores: number[]; labels: number[] }>;
};

const IMAGES = "tests/fixtures/images";
let folder: string;
let weights: string;
let expected: Expected;
beforeAll(async () => {
  loadBackend();
  folder = await mkdtemp(join(tmpdir(), "predict-"));
  expected = JSON.parse(await readFile("tests/fixtures/predict.json", "utf8")) as Expected;
  weights = join(folder, "tiny.safetensors");
  await writeTinyWeights(weights, expected.seed, { classNames: ["a", "b", "c", "d", "e"] });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function collect(options: Partial<PredictOptions>): Promise<Prediction[]> {
  const images = Object.keys(expected.images).map((name) => join(IMAGES, name));
  const results: Prediction[] = [];
  for await (const one of predict({ weights, images, threshold: expected.threshold, ...options })) results.push(one);
  return results;
}

it("finds what the reference's predict finds", async () => {
  const before = tf.memory().numTensors;
  const results = await collect({});
  expect(tf.memory().numTensors).toBe(before);
  expect(results.map(({ imageId, file }) => [imageId, file])).toEqual(
    Object.keys(expected.images).map((name, i) => [i + 1, join(IMAGES, name)]),
  );
  for (const [i, { boxes, scores, labels }] of Object.values(expected.images).entries()) {
    const result = results[i]!;
    if (result.error) throw result.error;
    expect(result.objects.map(({ label }) => label)).toEqual(labels);
    expect(result.objects.map(({ name }) => name)).toEqual(labels.map((label) => "abcde"[label]));
    for (const [j, { box, score }] of result.objects.entries()) {
      expect(Math.abs(score - scores[j]!)).toBeLessThan(1e-5);
      for (const [k, value] of box.entries()) expect(Math.abs(value - boxes[j]![k]!)).toBeLessThan(1e-3);
    }
  }
});

it("threshold, limit and batch size do what they say, and labels that are no class are left out", async () => {
  const all = (await collect({ batchSize: 1 })).flatMap((one) => (one.error ? [] : one.objects));
  const batched = (await collect({ batchSize: 3 })).flatMap((one) => (one.error ? [] : one.objects));
  expect(batched).toHaveLength(all.length);
  const scores = Object.values(expected.images).map((image) => image.scores);
  const limit = scores[0]![4]! + 1e-5;
  const few = await collect({ threshold: limit, maxDets: 3 });
  expect(few.map((one) => (one.error ? -1 : one.objects.length))).toEqual(
    scores.map((some) => Math.min(3, some.filter((score) => score > limit).length)),
  );
  const plain = join(folder, "plain.safetensors");
  await writeTinyWeights(plain, expected.seed, { classNames: ["a", "b"], categoryIds: [7, 5] });
  const known = (await collect({ weights: plain })).flatMap((one) => (one.error ? [] : one.objects));
  const labels = Object.values(expected.images).flatMap((image) => image.labels);
  expect(known).toHaveLength(labels.filter((label) => label < 2).length);
  for (const one of known) expect(one).toMatchObject({ categoryId: one.label === 0 ? 7 : 5 });
});

it("an image that cannot be read is told in its turn, and the others are done", async () => {
  const broken = join(folder, "broken.jpg");
  await writeFile(broken, "no picture");
  const photo = join(IMAGES, "photo.jpg");
  const results = await collect({ images: [broken, photo, join(folder, "none.png")], batchSize: 1 });
  expect(results.map(({ file }) => file)).toEqual([join(folder, "none.png"), broken, photo]);
  expect(results.map(({ error }) => error?.message.slice(0, 40))).toEqual([
    expect.stringContaining("There is no file"),
    expect.stringContaining(broken.slice(0, 40)),
    undefined,
  ]);
});

it("stops before the next batch when it is told to, and frees what it took when it is left early", async () => {
  const before = tf.memory().numTensors;
  const controller = new AbortController();
  const images = Object.keys(expected.images).map((name) => join(IMAGES, name));
  let count = 0;
  for await (const _ of predict({ weights, images, batchSize: 1, signal: controller.signal })) {
    count++;
    controller.abort();
  }
  expect(count).toBe(1);
  for await (const _ of predict({ weights, images })) break;
  expect(tf.memory().numTensors).toBe(before);
});

it("refuses values that mean nothing", async () => {
  await expect(collect({ threshold: 50 })).rejects.toThrow("threshold is 50; it must lie from 0 to 1.");
  await expect(collect({ maxDets: 0 })).rejects.toThrow("maxDets is 0; it must be a whole number from 1.");
  await expect(collect({ images: [join(folder, "none.png")] })).rejects.toThrow("There is no file or folder");
});
