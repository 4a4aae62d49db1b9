import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset } from "../../tests/support/tinyRun.ts";
import { TINY_SEGMENTER, tinyWeights } from "../../tests/tinyModel.ts";
import { toFields } from "../architecture/fields.ts";
import { referenceKeys } from "../architecture/weights/table.ts";
import { writeWeightsFile } from "../checkpoint/weightsFile.ts";
import { openOnnxDetector } from "../detector/onnx.ts";
import { openDetector } from "../detector/open.ts";
import { loadBackend } from "../engine/backend.ts";
import { evaluate } from "../eval/measure.ts";
import type { Mask } from "../instance/instance.ts";
import { maskRuns } from "../instance/masks/maskRuns.ts";
import { regionIou, regionOf } from "../instance/masks/overlap.ts";
import { decodeRuns } from "../instance/masks/runs.ts";
import { openOnnx } from "../onnx/session.ts";
import { fromFloat32, toFloat32 } from "../util/hostTensor.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { exportOnnx } from "./exportOnnx.ts";

let dir: string;
let [weights, data, out] = ["", "", ""];
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "export-segmenter-"));
  [weights, data, out] = ["tiny.safetensors", "data", "model.onnx"].map((name) => join(dir, name)) as [string, string, string]; // biome-ignore format: one line
  await tinyDataset(data, { masks: true });
  const rng = rngFromSeed(11);
  const tensors = tinyWeights(3, TINY_SEGMENTER);
  for (const [name, shape] of referenceKeys(TINY_SEGMENTER)) {
    const tensor = tensors.get(name)!;
    if (tensor.dtype !== "F32") continue;
    const values = toFloat32(tensor).map((value) => value + 0.2 * rng.normal());
    tensors.set(name, fromFloat32(Float32Array.from(values), shape));
  }
  const modelConfig = toFields(TINY_SEGMENTER) as Record<string, string>;
  await writeWeightsFile(weights, tensors, { modelConfig, classNames: ["red", "blue"], categoryIds: [1, 2] });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const SIZES = [[50, 30], [20, 64]] as [number, number][]; // biome-ignore format: one line
const images = Float32Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => Math.sin(i / 7));

function iou(a: Mask | undefined, b: Mask | undefined, size: readonly [number, number]): number {
  const [first, second] = [a!, b!].map((mask) => regionOf(maskRuns(mask, { size, where: "here" })));
  return first!.area + second!.area === 0 ? 1 : regionIou(first!, second!);
}

test("a segmenter's file gives masks as the trainer does, and their AP stands beside the boxes'", async () => {
  const { numTensors } = tf.memory();
  const { files, warnings } = await exportOnnx({ weights, out, data });
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(warnings).toEqual([]);
  const { difference, tolerance, "segm AP50:95": ap, "AP50:95": boxes } = files[0]!.verified!;
  expect(difference!.masks).toBeLessThan(1e-3);
  expect(tolerance).toEqual({ boxes: 1e-4, logits: 1e-3, masks: 1e-2, ap: 1e-3 });
  expect(ap!.trainer).toBeGreaterThanOrEqual(0);
  expect(ap!.file).toBeCloseTo(ap!.trainer, 6);
  expect(boxes!.file).toBeCloseTo(boxes!.trainer, 6);
  const [ours, theirs] = [await openDetector(weights), await openOnnxDetector(out)];
  expect(theirs.metadata).toMatchObject({ task: "segmentation", outputs: "raw" });
  const input = { images, originalSizes: SIZES };
  const [expected, found] = [await ours.detect(input), await theirs.detect(input)];
  for (const [image, { shapes }] of found.entries()) {
    expect(shapes).toHaveLength(TINY_SEGMENTER.numSelect);
    for (const [i, { mask }] of shapes!.entries())
      expect(iou(mask, expected[image]!.shapes![i]!.mask, SIZES[image]!)).toBeGreaterThan(0.99);
  }
  const [least, scores] = [found[0]!.scores[2]!, found[0]!.scores];
  const some = await theirs.detect({ ...input, maskFrom: least });
  expect(some[0]!.shapes!.map(({ mask }) => mask !== undefined)).toEqual([...scores].map((score) => score >= least));
  await ours.close();
  await theirs.close();
  const [own, files2] = [await evaluate({ weights, data }), await evaluate({ weights: out, data })];
  expect(own.metrics["segm AP50"]).toBeGreaterThanOrEqual(0);
  for (const [name, value] of Object.entries(own.metrics)) expect(files2.metrics[name]).toBeCloseTo(value, 4);
});

test("a decoded file gives masks of pixels, each at the size of its image", async () => {
  const { files } = await exportOnnx({ weights, out, data, decode: true });
  expect(files[0]!.verified!.difference!.masks).toBeLessThan(1e-3);
  expect(files[0]!.verified!["segm AP50:95"]!.trainer).toBeGreaterThanOrEqual(0);
  await expect(openOnnxDetector(out)).rejects.toThrow(/was exported with --decode, and makes masks/);
  const session = await openOnnx(out);
  const port = session.outputs.find(({ name }) => name === "masks")!;
  expect([port.type, ...port.shape]).toEqual(["uint8", "batch", 6, "mask height", "mask width"]);
  const planes = new Float32Array(images.length);
  for (let i = 0; i < images.length; i++) {
    const [image, pixel, channel] = [Math.floor(i / 3072), Math.floor((i % 3072) / 3), i % 3];
    planes[3072 * image + 1024 * channel + pixel] = images[i]!;
  }
  const given = (sizes: [number, number][]) => ({
    input: { data: planes, shape: [2, 3, 32, 32] },
    sizes: { data: Float32Array.from(sizes.flat()), shape: [2, 2] },
  });
  const { masks, labels } = await session.run(given(SIZES));
  expect(masks!.shape).toEqual([2, 6, 50, 64]);
  const ours = await openDetector(weights);
  const expected = await ours.detect({ images, originalSizes: SIZES });
  await ours.close();
  for (const [image, [height, width]] of SIZES.entries()) {
    // the trainer's may be of no class, which a decoded file never ranks
    const known = [...expected[image]!.labels.keys()].filter((i) => expected[image]!.labels[i] !== 2);
    for (const [place, i] of known.entries()) {
      expect(Number(labels!.data[6 * image + place])).toBe(expected[image]!.labels[i]);
      const mask = expected[image]!.shapes![i]!.mask!;
      const pixels = decodeRuns(maskRuns(mask, { size: [height, width], where: "here" }));
      let apart = 0;
      for (let y = 0; y < 50; y++)
        for (let x = 0; x < 64; x++) {
          const wanted = y < height && x < width ? pixels[y * width + x] : 0;
          if (masks!.data[((6 * image + place) * 50 + y) * 64 + x] !== wanted) apart++;
        }
      expect(apart).toBeLessThan(3);
    }
    expect(known.length).toBeGreaterThan(0);
  }
  const large = await session.run(given([[1e6, 3], [20, 1e9]])); // biome-ignore format: one line
  expect(large.masks!.shape).toEqual([2, 6, 1024, 1024]);
  await session.close();
});

test("files of other forms have their masks' AP, too", async () => {
  const { files } = await exportOnnx({ weights, out, data, optimize: true, precision: "fp16" });
  const int8 = await exportOnnx({ weights, out, data, precision: "int8" });
  for (const { verified } of [...files, ...int8.files])
    expect(verified!["segm AP50:95"]!.file).toBeGreaterThanOrEqual(0);
  expect(files[1]!.verified!.difference!.masks).toBeLessThan(1e-3);
});
