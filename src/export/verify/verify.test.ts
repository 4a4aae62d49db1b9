import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noiseBatch, part, TINY, tinyWeights } from "../../../tests/tinyModel.ts";
import { toLeaves } from "../../checkpoint/names.ts";
import { type Model, placeModel } from "../../detector/loadModel.ts";
import type { OnnxDetector } from "../../detector/onnx.ts";
import { loadBackend } from "../../engine/backend.ts";
import { rank, toPixels } from "../../instance/detections.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { rawOutputs } from "../../model/detect.ts";
import { fault, TOLERANCE, type Verification, verify } from "./verify.ts";

const CLASSES = [0, 1].map((label) => ({ label, name: `class ${label}`, categoryId: label }));

function modelOf(change: (leaves: ReturnType<typeof toLeaves>) => void = () => {}): Model {
  const leaves = toLeaves(tinyWeights(), TINY);
  change(leaves);
  return placeModel({ leaves, architecture: TINY, classes: CLASSES, source: "test", path: "", metadata: {} });
}

let model: Model;
let tied: Model;
beforeAll(() => {
  loadBackend();
  model = modelOf();
  // every proposal scores the same: which ones come first is nobody's choice
  tied = modelOf((leaves) => leaves.get("heads.twoStageClass.weight")!.data.fill(0));
});
afterAll(() => {
  model.dispose();
  tied.dispose();
});

/** A file that gives what the model gives, spoilt. */
function detectorOf(of: Model, spoil: (outputs: { boxes: Float32Array; logits: Float32Array }) => void): OnnxDetector {
  const [queries, classes] = [TINY.numQueries, TINY.numClasses + 1];
  return {
    decoded: false,
    forward: async (images: Float32Array) => {
      const raw = await rawOutputs(of.weights, TINY, { images, shape: [1, 32, 32, 3] });
      spoil(raw);
      const dets = { data: raw.boxes, shape: [1, queries, 4] };
      return [{ images: 1, outputs: { dets, labels: { data: raw.logits, shape: [1, queries, classes] } } }];
    },
    select: ([run]: Awaited<ReturnType<OnnxDetector["forward"]>>, sizes: [number, number][]) => {
      const { dets, labels } = run!.outputs;
      const ranked = rank(labels!.data as Float32Array, { batch: 1, count: TINY.numSelect });
      const boxes = dets!.data as Float32Array;
      return toPixels({ ...ranked, boxes, count: TINY.numSelect, queries, classes }, sizes);
    },
  } as unknown as OnnxDetector;
}

async function* batches(): AsyncGenerator<Batch> {
  const all = noiseBatch(3, 3);
  for (let i = 0; i < 3; i++) yield part(all, i, i + 1);
}

function shift(values: Float32Array, at: number, by: number): void {
  values[at] = values[at]! + by;
}

const check = (of: Model, spoil: Parameters<typeof detectorOf>[1], slots = true) =>
  verify(of, detectorOf(of, spoil), { batches: batches(), slots });

test("a file that gives the same differs in nothing and leaves no tensor behind", async () => {
  const before = tf.memory().numTensors;
  const found = await check(model, () => {});
  expect(found).toEqual({ images: 3, slots: { boxes: 0, logits: 0 }, nearTies: 0, finite: true, ap: null });
  expect(fault(found, TOLERANCE.ap)).toBeUndefined();
  expect(tf.memory().numTensors).toBe(before);
});

test.each<[string, Parameters<typeof detectorOf>[1], RegExp]>([
  ["one box that is off", ({ boxes }) => shift(boxes, 5, 0.01), /boxes differ by up to 0\.010 of the image/],
  [
    "one logit that is off",
    ({ logits }) => shift(logits, 7, -0.05),
    /logits differ by up to 0\.0\d+, 0\.001 are allowed/,
  ],
  ["a logit that is no number", ({ logits }) => shift(logits, 7, Number.NaN), /gives what is no number/],
  ["an infinite box", ({ boxes }) => shift(boxes, 0, Number.POSITIVE_INFINITY), /gives what is no number/],
])("%s is a fault", async (_, spoil, message) => {
  expect(fault(await check(model, spoil), TOLERANCE.ap)).toMatch(message);
});

test("images whose proposals score alike are left out where they differ, and counted", async () => {
  const found = await check(tied, ({ boxes }) => shift(boxes, 0, 0.5));
  expect(found).toMatchObject({ images: 3, nearTies: 3, slots: null });
  expect(await check(tied, () => {})).toMatchObject({ nearTies: 0, slots: { boxes: 0, logits: 0 } });
});

test("slots of files that round are not compared", async () => {
  expect(await check(model, ({ boxes }) => shift(boxes, 0, 0.5), false)).toMatchObject({ slots: null, nearTies: 0 });
});

describe("AP", () => {
  const found = (file: number): Verification => ({ images: 9, slots: null, nearTies: 0, finite: true, ap: { trainer: 0.5, file } }); // biome-ignore format: one line
  test("may differ by the tolerance and no more", () => {
    expect(fault(found(0.5009), TOLERANCE.ap)).toBeUndefined();
    expect(fault(found(0.4989), TOLERANCE.ap)).toBe("its AP50:95 is 0.4989 instead of 0.5000");
    expect(fault(found(Number.NaN), TOLERANCE.ap)).toBeDefined();
    expect(fault(found(0.1), Number.POSITIVE_INFINITY)).toBeUndefined();
  });
});
