// A head of its own with a loss of its own is two new files and a line in each list that names heads, their weights and terms.

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, expect, test, vi } from "vitest";
import type { HeadWeights } from "../src/architecture/weights/heads.ts";
import type { Term } from "../src/loss/terms/term.ts";
import type { Head } from "../src/model/heads/head.ts";
import type { Linear } from "../src/ops/linear.ts";

vi.mock(import("../src/architecture/weights/heads.ts"), async (original) => {
  const { HEAD_WEIGHTS, ...rest } = await original();
  const { linearEntries } = await import("../src/architecture/weights/entry.ts");
  const sizes: HeadWeights = { own: ({ hiddenDim }) => linearEntries("heads.size", "size_embed", [1, hiddenDim]) };
  const heads = [...HEAD_WEIGHTS, sizes];
  return { ...rest, HEAD_WEIGHTS: heads, headWeights: (a) => [...rest.headWeights(a), ...sizes.own(a)] };
});

vi.mock("../src/model/heads/list.ts", async (original) => {
  const { HEADS } = await original<typeof import("../src/model/heads/list.ts")>();
  const { linear } = await import("../src/ops/linear.ts");
  const sizes: Head<{ size: Linear }, "size"> = (weights, { hidden }) => ({ size: linear(weights.size, hidden) });
  return { HEADS: [...HEADS, sizes] };
});

vi.mock(import("../src/loss/terms/list.ts"), async (original) => {
  const { TERMS } = await original();
  return { TERMS: [...TERMS, sizeTerm] };
});

/** Squared error of the predicted area of each matched box, of the decoder's layers. */
const sizeTerm: Term = {
  losses: { loss_size: 3 },
  of({ heads, queries }, { layerRows, boxes, valid }, divisor) {
    const layers = queries.length - 1;
    const pairs = layerRows.shape[0]!;
    const rows = tf.reshape(heads.size!, [-1, 1]);
    const mine = tf.reshape(gatherRows(rows, layerRows), [-1]);
    const area = tf.prod(tf.slice(boxes, [0, 2], [pairs, 2]), 1);
    const error = tf.mul(tf.square(tf.sub(mine, area)), tf.slice(valid, 0, pairs));
    const byLayer = tf.div(tf.sum(tf.reshape(error, [layers, -1]), 1), divisor);
    return { losses: [tf.pad(byLayer as tf.Tensor1D, [[0, 1]])] }; // the encoder's proposals have no such head
  },
};

const { gatherRows } = await import("../src/ops/gather.ts");
const { loadBackend } = await import("../src/engine/backend.ts");
const { disposeLearner, learnerTensors } = await import("../src/step/learner.ts");
const { trainStep } = await import("../src/step/step.ts");
const { noiseBatch, tinyLearner } = await import("./tinyModel.ts");

loadBackend();
const learner = tinyLearner();
afterAll(() => disposeLearner(learner));

const settings = { clipMaxNorm: 10, ema: null, accumulation: "mean" as const, checkpointing: "all" as const };

test("its weights are drawn, trained and saved, and its loss is named, counted and falls", async () => {
  const before = await learnerTensors(learner);
  const input = { batches: [noiseBatch(1, 2)], rateFactor: 1, step: 0 };
  const first = await trainStep(learner, settings, input);
  expect(Object.keys(first.terms).filter((name) => name.startsWith("loss_size"))).toEqual([
    "loss_size",
    "loss_size_0",
    "loss_size_enc",
  ]);
  expect(first.terms.loss_size).toBeGreaterThan(0);
  const weights = { loss_ce: 1, loss_bbox: 5, loss_giou: 2, loss_size: 3 };
  const sum = Object.entries(first.terms).reduce(
    (total, [name, value]) => total + (weights[name.replace(/_(\d+|enc)$/, "") as "loss_ce"] ?? 0) * value,
    0,
  );
  expect(first.loss).toBeCloseTo(sum, 3);
  const { numTensors } = tf.memory();
  for (let step = 1; step < 15; step++) await trainStep(learner, settings, { ...input, step });
  expect(tf.memory().numTensors).toBe(numTensors);
  const last = await trainStep(learner, settings, { ...input, step: 15 });
  expect(last.terms.loss_size! + last.terms.loss_size_0!).toBeLessThan(
    first.terms.loss_size! + first.terms.loss_size_0!,
  );
  const after = await learnerTensors(learner);
  const [old, now] = [before, after].map(({ model }) => model.get("size_embed.weight")!);
  expect(old!.shape).toEqual([1, 16]);
  expect(Buffer.compare(old!.bytes, now!.bytes)).not.toBe(0);
  expect(after.optimizer.has("exp_avg.size_embed.weight")).toBe(true);
});
