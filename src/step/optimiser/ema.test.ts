import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { loadBackend } from "../../engine/backend.ts";
import { disposeEma, ema, readAverage, updateEma } from "./ema.ts";

type Reference = {
  decay: number;
  tau: number;
  shape: number[];
  steps: { weight: number[]; average: number[] }[];
};
const reference = (JSON.parse(readFileSync("tests/fixtures/train/reference.json", "utf8")) as { ema: Reference }).ema;

beforeAll(() => {
  loadBackend();
});

test("averages are the reference's after each update, the first of which copies", async () => {
  const state = ema();
  const before = tf.memory().numTensors;
  for (const { weight, average } of reference.steps) {
    const tensor = tf.tensor(weight, reference.shape);
    await updateEma(state, [["w", tensor]], reference);
    tensor.dispose();
    const ours = readAverage(state, "w")!;
    average.forEach((value, i) => {
      expect(ours.dataSync()[i]).toBeCloseTo(value, 6);
    });
    ours.dispose();
  }
  expect(tf.memory().numTensors).toBe(before + 1); // the average itself
  disposeEma(state);
  expect(tf.memory().numTensors).toBe(before);
});

test("the first update leaves the weight alone when the average moves on", async () => {
  const state = ema();
  const [one, two] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 5])];
  await updateEma(state, [["w", one]], { decay: 0.5, tau: 0 });
  await updateEma(state, [["w", two]], { decay: 0.5, tau: 0 });
  expect([...one.dataSync()]).toEqual([1, 2]);
  expect([...readAverage(state, "w")!.dataSync()]).toEqual([2, 3.5]);
});
