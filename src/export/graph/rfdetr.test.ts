import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  architectureOf,
  channelsLast,
  farthest,
  readFixture,
  TINY,
  values,
  weightsOf,
} from "../../../tests/parity/fixtures.ts";
import { generatedImages, type ImageSpec } from "../../../tests/parity/generatedWeights.ts";
import type { Architecture } from "../../architecture/variants.ts";
import { toLeaves } from "../../checkpoint/names.ts";
import { loadBackend } from "../../engine/backend.ts";
import { rawOutputs } from "../../model/detect.ts";
import { uploadWeights } from "../../model/weights.ts";
import { openOnnx } from "../../onnx/session.ts";
import { toBytes } from "../../util/protobuf.ts";
import { buildGraph, type GraphSettings } from "./rfdetr.ts";

let folder: string;
beforeAll(async () => {
  loadBackend();
  folder = await mkdtemp(join(tmpdir(), "onnx-graph-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PLAIN: GraphSettings = { opset: 18, batch: "dynamic", fused: false, floats: "float32" };

/** Boxes and logits that a file of these weights gives. */
async function run(
  weights: Architecture,
  seed: number,
  images: Float32Array,
  batch: number,
  settings: Partial<GraphSettings> = {},
  resolution = weights.resolution,
): Promise<{ boxes: Float32Array; logits: Float32Array; masks: Float32Array; shapes: (readonly number[])[] }> {
  const leaves = toLeaves(weightsOf(weights, seed), weights);
  const graph = buildGraph(leaves, { ...weights, resolution }, { ...PLAIN, ...settings });
  const path = join(folder, "model.onnx");
  await writeFile(path, toBytes(graph.encode({ name: "test", version: "0", metadata: {} })));
  const session = await openOnnx(path, { threads: 1 });
  try {
    const found = await session.run({ input: { data: images, shape: [batch, 3, resolution, resolution] } });
    const { dets, labels, masks } = found;
    return {
      boxes: dets!.data as Float32Array,
      logits: labels!.data as Float32Array,
      masks: (masks?.data ?? new Float32Array()) as Float32Array,
      shapes: Object.values(found).map(({ shape }) => shape),
    };
  } finally {
    await session.close();
  }
}

const BOUND = 1e-4;

/** With these weights no two proposals score so nearly alike that rounding decides which comes first. */
const SEED = 2;

test.each([
  ["tiny-native", {}],
  ["tiny-native", { opset: 17 }],
  ["tiny-native", { fused: true }],
  ["tiny-native", { batch: 2 }],
  ["tiny-larger", {}],
  ["tiny-smaller", {}],
  ["tiny-few-tokens", {}],
] as const)("the graph of %s with %j gives the reference's boxes and logits", async (name, settings) => {
  const { about, tensor } = await readFixture<ImageSpec & { seed: number }>(`eval/${name}`);
  const images = generatedImages("images", about);
  const found = await run(TINY, about.seed, images, about.batch, settings, about.size[0]);
  expect(found.shapes).toEqual([tensor("pred_boxes").shape, tensor("pred_logits").shape]);
  expect(farthest(found.boxes, values(tensor("pred_boxes")))).toBeLessThan(BOUND);
  expect(farthest(found.logits, values(tensor("pred_logits")))).toBeLessThan(BOUND);
});

/** The fixtures keep the masks of every so many queries. */
const MASK_EVERY = 13;

test.each([
  ["seg-tiny", "native", {}],
  ["seg-tiny", "native", { opset: 17, batch: 2 }],
  ["seg-tiny", "native", { fused: true }],
  ["seg-tiny", "few-tokens", {}],
] as const)("the graph of %s %s with %j gives the reference's masks, too", async (name, size, settings) => {
  const { about, tensor } = await readFixture<ImageSpec & { seed: number }>(`eval/${name}-${size}`);
  const architecture = architectureOf(name);
  const images = generatedImages("images", about);
  const found = await run(architecture, about.seed, images, about.batch, settings, about.size[0]);
  const expected = ["pred_boxes", "pred_logits", "pred_masks"].map((output) => tensor(output));
  const [batch, , side] = expected[2]!.shape as [number, number, number];
  expect(found.shapes).toEqual([...expected.slice(0, 2).map(({ shape }) => shape), [batch, architecture.numQueries, side, side]]); // biome-ignore format: one line
  const kept = found.masks.filter((_, i) => (Math.floor(i / side ** 2) % architecture.numQueries) % MASK_EVERY === 0);
  expect(farthest(found.boxes, values(expected[0]!))).toBeLessThan(BOUND);
  expect(farthest(found.logits, values(expected[1]!))).toBeLessThan(BOUND);
  expect(farthest(kept, values(expected[2]!))).toBeLessThan(1e-3);
});

test.each<[string, Partial<Architecture>]>([
  ["two levels, a finer and a coarser one", { projectorScale: ["P3", "P5"], decLayers: 3 }],
  ["three levels with the coarsest pooled", { projectorScale: ["P4", "P5", "P6"], decNPoints: 3 }],
  ["one window, one feature map, one decoder layer", { numWindows: 1, outFeatureIndexes: [4], decLayers: 1 }],
  ["masks of a map that is enlarged by no whole number", { segmentationHead: true, patchSize: 7, resolution: 42 }],
  ["masks in one window", { segmentationHead: true, numWindows: 1, decLayers: 1 }],
  ["masks of the finest of two levels", { segmentationHead: true, projectorScale: ["P3", "P5"], decLayers: 3 }],
  ["an odd number of cells a side", { patchSize: 8, numWindows: 1, resolution: 72, projectorScale: ["P5", "P6"] }],
  [
    "more cells than the border leaves valid",
    { patchSize: 2, resolution: 104, numQueries: 30, positionalEncodingSize: 20, outFeatureIndexes: [1], decLayers: 1 },
  ],
])("the graph of a network with %s gives our forward's boxes and logits", async (_, changes) => {
  const architecture: Architecture = { ...TINY, ...changes };
  const { resolution: side } = architecture;
  const spec = { seed: 5, batch: 2, size: [side, side] as [number, number] };
  const images = generatedImages("images", spec);
  const found = await run(architecture, SEED, images, 2);
  const weights = uploadWeights(toLeaves(weightsOf(architecture, SEED), architecture), () => false);
  const pixels = channelsLast(images, [2, side, side]);
  const ours = await rawOutputs(weights, architecture, { images: pixels, shape: [2, side, side, 3] });
  expect(farthest(found.boxes, ours.boxes)).toBeLessThan(BOUND);
  expect(farthest(found.logits, ours.logits)).toBeLessThan(BOUND);
  if (ours.masks) expect(farthest(found.masks, ours.masks.logits)).toBeLessThan(1e-3);
});

test("images of a batch do not touch each other", async () => {
  const images = generatedImages("images", { seed: 2, batch: 2, size: [128, 128] });
  const both = await run(TINY, 6, images, 2);
  const second = await run(TINY, 6, images.slice(images.length / 2), 1);
  expect(farthest(both.boxes.slice(both.boxes.length / 2), second.boxes)).toBeLessThan(1e-5);
  expect(farthest(both.logits.slice(both.logits.length / 2), second.logits)).toBeLessThan(1e-5);
});

test("half precision stays near", async () => {
  const { about, tensor } = await readFixture<ImageSpec & { seed: number }>("eval/tiny-few-tokens");
  const images = generatedImages("images", about);
  const found = await run(TINY, about.seed, images, about.batch, { floats: "float16" }, about.size[0]);
  const far = farthest(found.logits, values(tensor("pred_logits")));
  expect(far).toBeLessThan(0.05);
  expect(far).toBeGreaterThan(BOUND);
  expect(farthest(found.boxes, values(tensor("pred_boxes")))).toBeLessThan(0.01);
});
