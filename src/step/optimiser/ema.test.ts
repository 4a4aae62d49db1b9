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

test("averages are the reference's after each update, the first of which copies", () => {
  const state = ema();
  const before = tf.memory().numTensors;
  for (const { weight, average } of reference.steps) {
    const tensor = tf.tensor(weight, reference.shape);
    updateEma(state, reference, [["w", tensor]]);
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

test("the first update leaves the weight alone when the average moves on", () => {
  const state = ema();
  const [one, two] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 5])];
  updateEma(state, { decay: 0.5, tau: 0 }, [["w", one]]);
  updateEma(state, { decay: 0.5, tau: 0 }, [["w", two]]);
  expect([...one.dataSync()]).toEqual([1, 2]);
  expect([...readAverage(state, "w")!.dataSync()]).toEqual([2, 3.5]);
});
