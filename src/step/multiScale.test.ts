import { expect, test } from "vitest";
import { VARIANTS } from "../architecture/variants.ts";
import { multiScaleSides, sideOfStep } from "./multiScale.ts";

test("the sides are the reference's: five windows of patches each way, at least two windows long", () => {
  expect(multiScaleSides(VARIANTS.nano)).toEqual([224, 256, 288, 320, 352, 384, 416, 448, 480, 512, 544]);
  expect(multiScaleSides(VARIANTS.base)).toEqual([280, 336, 392, 448, 504, 560, 616, 672, 728, 784, 840]);
  expect(multiScaleSides({ resolution: 128, patchSize: 16, numWindows: 2 })).toEqual([
    64, 96, 128, 160, 192, 224, 256, 288,
  ]);
});

test("a step's side depends on the step alone", () => {
  const sides = multiScaleSides(VARIANTS.nano);
  expect([0, 1, 2, 3, 4].map((step) => sideOfStep(sides, step))).toEqual([416, 288, 224, 320, 320]);
  expect(sideOfStep(sides, 3)).toBe(320);
});
