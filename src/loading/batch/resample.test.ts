import { expect, test } from "vitest";
import type { Sample } from "../../data/dataset/sample.ts";
import { factLine } from "../../util/text/fact.ts";
import { describeResampling, imageWeights } from "./resample.ts";

/** An image with one object of each of these classes. */
function image(...labels: number[]): Sample {
  const annotations = labels.map((label, id) => ({
    ...{ id, label, categoryId: label, area: 1, crowd: false },
    box: [0, 0, 1, 1] as [number, number, number, number],
  }));
  return { imageId: 0, file: "", path: "", width: null, height: null, annotations };
}

const many = (count: number, ...labels: number[]) => Array.from({ length: count }, () => image(...labels));

test("repeat factors rise with the root of a class's rarity, the rarest class of an image counts", () => {
  const samples = [...many(9979, 0), ...many(9, 0, 0, 1), image(0, 1), image(0, 2), ...many(10)];
  const weights = imageWeights("repeat-factor", samples);
  expect(samples).toHaveLength(10_000);
  expect(new Set(weights.slice(0, 9989))).toEqual(new Set([1])); // class 1 is in exactly a thousandth
  expect(weights[9989]).toBeCloseTo(Math.sqrt(10), 12);
  expect(weights[9990]).toBe(1);
});

test("balanced classes are seen equally often, and images without objects as often as before", () => {
  const samples = [...many(90, 0), ...many(9, 1), image(2), ...many(20)];
  const weights = imageWeights("balanced", samples);
  const sum = (from: number, to: number) => weights.slice(from, to).reduce((a, b) => a + b, 0);
  for (const [from, to] of [
    [0, 90],
    [90, 99],
    [99, 100],
  ] as const)
    expect(sum(from, to)).toBeCloseTo(100 / 3, 9);
  expect(sum(100, 120)).toBe(20);
});

test("crowds are no objects", () => {
  const crowd = image(0);
  crowd.annotations[0]!.crowd = true;
  expect(imageWeights("balanced", [crowd, image(1), image(1)])).toEqual([1, 1, 1]);
});

test("a line says what re-sampling does, or that it does nothing", () => {
  expect(factLine(describeResampling("balanced", [...many(3, 0), image(1)]))).toBe(
    "Re-sampling: balanced, an epoch shows an image 0.67 to 2.00 times on average",
  );
  expect(factLine(describeResampling("repeat-factor", many(3, 0)))).toContain("changes nothing");
});
