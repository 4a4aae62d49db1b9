import { expect, test } from "vitest";
import { rngFromSeed } from "../../util/random/rng.ts";
import { histogram } from "./gradientHistograms.ts";

test("every number is counted once, between the edges of its bucket", () => {
  const rng = rngFromSeed(5);
  const values = Float32Array.from({ length: 1000 }, (_, i) => rng.normal() * 10 ** ((i % 7) - 5));
  const { min, max, num, sum, sumSquares, limits, counts } = histogram(values);
  expect(num).toBe(1000);
  expect(min).toBe(Math.min(...values));
  expect(max).toBe(Math.max(...values));
  expect(sum).toBeCloseTo(
    values.reduce((a, b) => a + b, 0),
    6,
  );
  expect(sumSquares).toBeCloseTo(
    values.reduce((a, b) => a + b * b, 0),
    3,
  );
  const expected = limits.map((limit, i) => values.filter((v) => v <= limit && v > (limits[i - 1] ?? -1e300)).length);
  expect(counts).toEqual(expected);
  expect(counts.reduce((a, b) => a + b)).toBe(1000);
});

test("zeros have a bucket whose upper edge is zero, and empty ends are left out", () => {
  const { limits, counts } = histogram([0, 0, 0, 1e-12]);
  expect(limits.slice(-2)).toEqual([0, 1e-12]);
  expect(counts.slice(-2)).toEqual([3, 1]);
  expect(limits.length).toBe(3);
});
