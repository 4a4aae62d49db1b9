import sharp from "sharp";
import { expect, test } from "vitest";
import { slicedFile, slicedImage } from "../../data/slices/slicedPicture.ts";
import type { DetectInput } from "../detector.ts";
import { chooseSlices } from "./choose.ts";
import { detectInParts } from "./detectInParts.ts";

const SIDE = 50; // of the images that the model takes: half of a part

/** Finds what is white in the pixels of each image, and writes down how many images it was given at once. */
function model(batches: number[]) {
  return {
    resolution: SIDE,
    detect: async ({ images, originalSizes }: DetectInput) => {
      batches.push(originalSizes.length);
      return originalSizes.map(([height, width], i) => {
        let [x1, y1, x2, y2] = [SIDE, SIDE, 0, 0];
        for (let y = 0; y < SIDE; y++)
          for (let x = 0; x < SIDE; x++) {
            if (images[3 * ((i * SIDE + y) * SIDE + x)]! < 0) continue;
            [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
          }
        const found = Number(x2 > x1);
        const box = [(x1 * width) / SIDE, (y1 * height) / SIDE, (x2 * width) / SIDE, (y2 * height) / SIDE];
        return {
          boxes: Float32Array.from(found ? box : []),
          labels: new Int32Array(found),
          scores: new Float32Array(found).fill(0.8),
        };
      });
    },
  };
}

async function picture([x1, y1, x2, y2]: readonly [number, number, number, number]): Promise<Uint8Array> {
  const white = { create: { width: x2 - x1, height: y2 - y1, channels: 3, background: "white" } } as const;
  return sharp({ create: { width: 180, height: 180, channels: 3, background: "black" } })
    .composite([{ input: white, left: x1, top: y1 }])
    .png()
    .toBuffer();
}

const ASKED = { slices: { size: 100, overlap: 0.2 }, batchSize: 2, threshold: 0.3 };

test.each([
  [84, 84, 96, 98],
  [60, 62, 124, 128],
  [0, 70, 180, 110],
] as const)(
  "an object across the seams of four parts is found once, in pixels of the picture: %i %i %i %i",
  async (...box) => {
    const batches: number[] = [];
    const opened = await slicedFile(await picture(box), "here.png");
    const { boxes, scores, labels } = await detectInParts(model(batches), opened, ASKED);
    expect(batches).toEqual([2, 2, 1]); // all of it and four parts
    expect([...labels]).toEqual([0]);
    expect(scores[0]).toBeCloseTo(0.8, 6);
    for (const [i, value] of box.entries()) expect(Math.abs(boxes[i]! - value)).toBeLessThanOrEqual(2);
  },
);

test("a picture no larger than a part is looked at once", async () => {
  const batches: number[] = [];
  const small = slicedImage({ data: new Uint8Array(3 * 80 * 60).fill(255), width: 80, height: 60 });
  const { boxes } = await detectInParts(model(batches), small, ASKED);
  expect(batches).toEqual([1]);
  expect([...boxes]).toEqual([0, 0, 80, 60]);
});

test("parts are those asked for, else those of the weights, and numbers that mean nothing are refused", () => {
  const trained = { slices: { size: 640, overlap: 0.3 }, source: "W" };
  const plain = { slices: undefined, source: "W" };
  expect(chooseSlices(undefined, trained)).toEqual(trained.slices);
  expect(chooseSlices("trained", trained)).toEqual(trained.slices);
  expect(chooseSlices("none", trained)).toBeUndefined();
  expect(chooseSlices(undefined, plain)).toBeUndefined();
  expect(chooseSlices({ size: 320 }, trained)).toEqual({ size: 320, overlap: 0.2 });
  expect(() => chooseSlices("trained", plain)).toThrow("W says nothing of parts: it was trained on whole pictures.");
  expect(() => chooseSlices({ size: 8 }, plain)).toThrow("The side of slices is 8; it must be a whole number of pixels from 32."); // biome-ignore format: one line
  expect(() => chooseSlices({ size: 64, overlap: 1 }, plain)).toThrow(
    "The overlap of slices is 1; it must lie from 0 to 0.9.",
  );
});
