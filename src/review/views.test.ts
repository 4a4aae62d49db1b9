import { expect, test } from "vitest";
import type { FoundObject } from "./suspect.ts";
import { joinViews, mirrorBoxes, mirrorImages } from "./views.ts";

test("mirroring swaps left and right of each row of each image, and twice is nothing", () => {
  const images = Float32Array.from({ length: 2 * 3 * 3 * 3 }, (_, i) => i);
  const mirrored = mirrorImages(images, 3);
  expect([...mirrored.subarray(0, 9)]).toEqual([6, 7, 8, 3, 4, 5, 0, 1, 2]);
  expect([...mirrored.subarray(27, 36)]).toEqual([33, 34, 35, 30, 31, 32, 27, 28, 29]);
  expect(mirrorImages(mirrored, 3)).toEqual(images);
  expect([...mirrorBoxes(Float32Array.of(1, 2, 5, 9), 20)]).toEqual([15, 2, 19, 9]);
});

test("an object of both views has their mean confidence and place, one of the first view half of its confidence, one of the second none", () => {
  const object = (box: FoundObject["box"], score: number, label = 0) => ({ label, box, score });
  const first = [object([0, 0, 10, 10], 0.8), object([50, 50, 60, 60], 0.6), object([0, 0, 10, 10], 0.5, 1)];
  const second = [object([80, 0, 90, 9], 0.9), object([2, 0, 12, 10], 0.4)];
  const joined = joinViews(first, second);
  expect(joined.map(({ label, score }) => [label, score])).toEqual([[0, expect.closeTo(0.6, 9)], [0, 0.3], [1, 0.25]]); // biome-ignore format: one line
  expect(joined[0]!.box[0]).toBeCloseTo((0.4 * 2) / 1.2, 9);
  expect(joined[0]!.box[2]).toBeCloseTo(10 + (0.4 * 2) / 1.2, 9);
});
