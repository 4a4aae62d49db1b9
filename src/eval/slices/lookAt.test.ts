import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Sample, Split } from "../../data/dataset/sample.ts";
import { sliceForEvaluation } from "../../data/slices/sliceSplit.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { evaluationLoader } from "../../loading/batch/evaluationLoader.ts";
import { evaluateModel } from "../evaluate.ts";

const SLICES = { size: 100, overlap: 0.2 };
const SIDE = 180;
const BOX = [60, 62, 123, 128] as const; // all four seams of a picture cut it, and no part sees it whole
const CLASSES = [{ name: "thing", categoryId: 3, label: 0 }];

let folder: string;
let split: Split;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "look-"));
  const samples = await Promise.all(
    [7, 8, 9].map(async (imageId): Promise<Sample> => {
      const path = join(folder, `${imageId}.png`);
      const box = { create: { width: BOX[2] - BOX[0], height: BOX[3] - BOX[1], channels: 3, background: "white" } } as const; // biome-ignore format: one line
      const overlay = { input: box, left: BOX[0], top: BOX[1] };
      await sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: "black" } })
        .composite([overlay])
        .toFile(path);
      const area = (BOX[2] - BOX[0]) * (BOX[3] - BOX[1]);
      const annotation = { id: imageId, categoryId: 3, label: 0, area, crowd: false, box: [...BOX] as Sample["annotations"][0]["box"] }; // biome-ignore format: one line
      return { imageId, file: `${imageId}.png`, path, width: SIDE, height: SIDE, annotations: [annotation] };
    }),
  );
  split = { name: "val", images: folder, annotations: folder, samples, reading: {} };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Finds what is white in the pixels of each image; in a whole picture nothing, as if that were too small there. */
function white({ images, shape: [count, side], originalSizes, areas }: Batch): ImageDetections[] {
  return Array.from({ length: count }, (_, i) => {
    const [height, width] = originalSizes[i]!;
    let [x1, y1, x2, y2] = [side, side, 0, 0];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        if (images[3 * ((i * side + y) * side + x)]! < 0) continue;
        [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
      }
    const found = x2 > x1 && areas?.[i]?.width !== SIDE;
    const box = [(x1 * width) / side, (y1 * height) / side, (x2 * width) / side, (y2 * height) / side];
    return {
      boxes: Float32Array.from(found ? box : []),
      labels: new Int32Array(Number(found)),
      scores: new Float32Array(Number(found)).fill(0.8),
    };
  });
}

async function evaluated(of: Split, { slices, mostBroken = 0 }: { slices?: typeof SLICES; mostBroken?: number }) {
  const images = slices ? await sliceForEvaluation(of, slices) : of;
  const loader = evaluationLoader(images, { resolution: 100, batchSize: 3, workers: 0, mostBroken });
  const done: number[] = [];
  try {
    const about = { batches: loader.epoch(0), samples: of.samples, classes: CLASSES, slices };
    const result = await evaluateModel({ ...about, detect: white, onBatch: (images) => done.push(images) });
    return { ...result, done };
  } finally {
    await loader.close();
  }
}

test("whole pictures are measured by what is found in their parts: what four seams cut is found once", async () => {
  const { metrics, detections, images, done } = await evaluated(split, { slices: SLICES });
  expect(metrics).toMatchObject({ "AP50:95": 1, AP50: 1 });
  expect(images).toBe(3);
  expect(done).toEqual([1, 2, 3]);
  expect(detections.map(({ imageId }) => imageId)).toEqual([7, 8, 9]);
  for (const { bbox, categoryId } of detections) {
    expect(categoryId).toBe(3);
    expect(bbox).toEqual([BOX[0], BOX[1], BOX[2] - BOX[0], BOX[3] - BOX[1]]);
  }
});

test("a picture of which no part can be read is broken once, and the others are measured", async () => {
  const path = join(folder, "broken.png");
  await writeFile(path, "no picture");
  const samples = [split.samples[0]!, { ...split.samples[1]!, path }, split.samples[2]!];
  const { images, broken, detections } = await evaluated({ ...split, samples }, { slices: SLICES, mostBroken: 1 });
  expect(images).toBe(2);
  expect(broken.map(({ imageId }) => imageId)).toEqual([8]);
  expect(detections.map(({ imageId }) => imageId)).toEqual([7, 9]);
});
