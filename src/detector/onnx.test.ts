import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { random } from "../../tests/support/gradients.ts";
import { MEMORY, writeHuge } from "../../tests/support/hugeOnnx.ts";
import { writeReshapes } from "../../tests/support/onnxFile.ts";
import { loadBackend } from "../engine/backend.ts";
import { rank, toPixels } from "../instance/detections.ts";
import { postprocess } from "../model/postprocess.ts";
import { isOnnx } from "../onnx/format.ts";
import { openOnnxDetector } from "./onnx.ts";

let path: string;
beforeAll(async () => {
  loadBackend();
  path = join(await mkdtemp(join(tmpdir(), "onnx-detector-")), "model.onnx");
});
afterAll(() => rm(join(path, ".."), { recursive: true, force: true }));

test("a model of something else is refused with its inputs and outputs", async () => {
  await writeReshapes(path, { input: "data", shape: [1, 3, 8, 8], outputs: { probabilities: [1, 192] } });
  await expect(openOnnxDetector(path)).rejects.toThrow(
    /no detector of ours: inputs data float32 \[1, 3, 8, 8\]; outputs probabilities float32 \[1, 192\]/,
  );
});

test("a detector of another program is taken, with COCO's classes or classes by number", async () => {
  await writeReshapes(path, {
    input: "input",
    shape: [1, 3, 8, 8],
    outputs: { dets: [1, 48, 4], labels: [1, 64, 3] },
  });
  const detector = await openOnnxDetector(path);
  expect(detector).toMatchObject({ resolution: 8, batch: 1, decoded: false });
  expect(detector.classes.map(({ name }) => name)).toEqual(["class 0", "class 1"]);
  await detector.close();
});

test("a segmenter of another program gives a mask for each query", async () => {
  const outputs = { dets: [1, 48, 4], labels: [1, 48, 4], masks: [1, 48, 2, 2] };
  await writeReshapes(path, { input: "input", shape: [1, 3, 8, 8], outputs });
  const detector = await openOnnxDetector(path);
  const images = Float32Array.from({ length: 192 }, (_, i) => (i % 3) - 1);
  const [found] = await detector.detect({ images, originalSizes: [[9, 5]] });
  expect(found!.shapes).toHaveLength(48);
  expect(found!.shapes![0]!.mask).toMatchObject({ size: [9, 5] });
  await detector.close();
  await writeReshapes(path, { input: "input", shape: [1, 3, 8, 8], outputs: { ...outputs, masks: [192] } });
  await expect(openOnnxDetector(path)).rejects.toThrow(/no detector of ours/);
});

test("outputs of other shapes than the file promises are refused, and so are sizes that no detector has", async () => {
  const open = async (batch: number | string, outputs: Record<string, number[]>, side = 8) => {
    await writeReshapes(path, { input: "input", shape: [batch, 3, side, side], outputs });
    return openOnnxDetector(path);
  };
  const images = new Float32Array(8 * 8 * 3);
  for (const [outputs, said] of [
    [{ dets: [1, 96, 2], labels: [1, 96, 2] }, "gives dets of shape [1, 96, 2], where float32 [1, 96, 4] belongs"],
    [{ dets: [1, 48, 4], labels: [1, 24, 8] }, "gives labels of shape [1, 24, 8], where float32 [1, 48, 8] belongs"],
    [{ dets: [3, 16, 4], labels: [3, 16, 4] }, "gives dets of shape [3, 16, 4], where float32 [1, 16, 4] belongs"],
    [
      { dets: [1, 48, 4], labels: [1, 48, 4], masks: [1, 24, 2, 4] },
      "gives masks of shape [1, 24, 2, 4], where float32 [1, 48, 2, 4] belongs",
    ],
  ] as const) {
    const detector = await open(1, outputs as unknown as Record<string, number[]>);
    await expect(detector.detect({ images, originalSizes: [[8, 8]] })).rejects.toThrow(said);
    await detector.close();
  }
  const wide = { dets: [1, 1, 4], labels: [1, 1, 1 << 20] };
  await expect(open(1, wide, 1024)).rejects.toThrow("tells 1048576 classes apart");
  await expect(open(1 << 22, { dets: [1, 48, 4], labels: [1, 64, 3] })).rejects.toThrow(
    "takes 4194304 images of 8 pixels",
  );
});

test("a file whose cost grows with the number of images is tried with those it will get, and gets others one by one", async () => {
  // nothing for one image, gigabytes for four
  const growing: Parameters<typeof writeHuge>[1] = (graph, x) => {
    const count = graph.op("Gather", [graph.op("Shape", [x]), graph.ints(0)]);
    const side = graph.op("Mul", [graph.op("Sub", [count, graph.ints(1)]), graph.ints(10_000)]);
    return graph.op("Concat", [x, graph.op("Expand", [graph.scalar(1), graph.op("Concat", [side, graph.ints(3, 8, 8)], { axis: 0 })])], { axis: 0 }); // biome-ignore format: one line
  };
  await writeHuge(path, growing, "n");
  await expect(openOnnxDetector(path, { batchSizes: [40] })).rejects.toThrow(
    /model\.onnx takes more than .* GB|memory/,
  );
  const detector = await openOnnxDetector(path, { batchSizes: [2] });
  const sizes = Array.from({ length: 4 }, () => [8, 8] as const);
  const given = (count: number) => new Float32Array(count * 192).fill(0.5);
  expect((await detector.forward(given(4), sizes)).map(({ images }) => images)).toEqual([1, 1, 1, 1]);
  expect((await detector.forward(given(2), sizes.slice(2))).map(({ images }) => images)).toEqual([2]);
  expect(await detector.detect({ images: given(4), originalSizes: sizes })).toHaveLength(4);
  await detector.close();
});

test("a file that takes more memory than any detector of its size is refused before it is opened here", async () => {
  await writeHuge(path, MEMORY.doubling!);
  const before = process.memoryUsage.rss();
  await expect(openOnnxDetector(path)).rejects.toThrow(/model\.onnx takes more than 0\.7 GB of memory/);
  expect(process.memoryUsage.rss() - before).toBeLessThan(3e8);
});

test("names of ONNX files are known by their ending", () => {
  expect(["a.onnx", "A.ONNX", "onnx", "a.onnx.pth"].map(isOnnx)).toEqual([true, true, false, false]);
});

test("detections are ranked and put in pixels as the engine does, ties included", async () => {
  const [batch, queries, classes] = [2, 40, 3];
  const coarse = tf.tidy(() => tf.round(tf.mul(random([batch, queries, classes], 4, 2), 4))); // many are equal
  const boxes = random([batch, queries, 4], 5);
  const sizes = [
    [50, 70],
    [80, 30],
  ] as const;
  const expected = await postprocess({ logits: coarse as tf.Tensor3D, boxes: boxes as tf.Tensor3D }, sizes, 30);
  const ranked = rank((await coarse.data()) as Float32Array, { batch, count: 30 });
  const found = toPixels({ ...ranked, boxes: await boxes.data(), count: 30, queries, classes }, sizes);
  for (const [image, one] of found.entries()) {
    expect([...one.labels]).toEqual([...expected[image]!.labels]);
    expect([...one.boxes]).toEqual([...expected[image]!.boxes]);
    for (const [i, score] of one.scores.entries()) expect(score).toBeCloseTo(expected[image]!.scores[i]!, 6);
  }
  tf.dispose([coarse, boxes]);
});
