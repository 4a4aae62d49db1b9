import { describe, expect, it, test } from "vitest";
import { describePadding, epochLength, epochOrder } from "./sampler.ts";

describe("the order of an epoch", () => {
  const large = { length: 53, batchSize: 4, gradAccumSteps: 2, shuffle: true };

  it("shows every image, padded with repeats to whole optimizer steps", () => {
    const order = epochOrder(7, 0, large);
    expect(order).toHaveLength(56);
    expect(new Set(order).size).toBe(53);
  });

  it("is the same for the same seed and epoch, and another for another", () => {
    expect(epochOrder(7, 3, large)).toEqual(epochOrder(7, 3, large));
    expect(epochOrder(7, 3, large)).not.toEqual(epochOrder(7, 4, large));
    expect(epochOrder(7, 3, large)).not.toEqual(epochOrder(8, 3, large));
  });

  it("draws with replacement where there are fewer than five steps of images", () => {
    const small = { ...large, length: 39 };
    expect(epochLength(small)).toBe(40);
    const order = epochOrder(7, 0, small);
    expect(order).toHaveLength(40);
    expect(new Set(order).size).toBeLessThan(36);
    expect(new Set(epochOrder(7, 0, { ...large, length: 40 })).size).toBe(40);
    expect(epochOrder(7, 0, { ...large, length: 1 })).toEqual(new Array(40).fill(0));
  });

  it("shows images as often as their weights say, in epochs of the same length", () => {
    const weights = Array.from({ length: 53 }, (_, i) => (i < 10 ? 3 : 1)); // the ten first: 30 of 73
    const counts = new Array<number>(53).fill(0);
    for (let epoch = 0; epoch < 200; epoch++) {
      const order = epochOrder(7, epoch, { ...large, weights });
      expect(order).toHaveLength(56);
      const now = new Array<number>(53).fill(0);
      for (const i of order) now[i]!++;
      for (const [i, n] of now.entries()) {
        const expected = (56 * weights[i]!) / 73;
        expect(Math.abs(n - expected)).toBeLessThan(1);
        counts[i]! += n / 200 / expected;
      }
    }
    for (const count of counts) expect(count).toBeCloseTo(1, 0);
    expect(epochOrder(7, 3, { ...large, weights })).toEqual(epochOrder(7, 3, { ...large, weights }));
    expect(epochOrder(7, 3, { ...large, weights })).not.toEqual(epochOrder(7, 4, { ...large, weights }));
    const sorted = epochOrder(7, 3, { ...large, weights, shuffle: false });
    expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
    expect(epochOrder(7, 0, { ...large, length: 2, weights: [1, 0] })).toEqual(new Array(40).fill(0));
  });

  it("keeps the order of the files where shuffling is off", () => {
    expect(epochOrder(7, 2, { ...large, length: 3, shuffle: false }).slice(0, 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });
});

test("an epoch that shows images again says so", () => {
  expect(describePadding(88, 86)).toEqual(["An epoch shows 88 images: 2 of the 86 twice, to fill the last step"]);
  expect(describePadding(80, 20)).toEqual([
    "An epoch shows 80 images: each of the 20 about 4 times, as an epoch has 5 steps or more",
  ]);
  expect(describePadding(80, 80)).toEqual([]);
});
