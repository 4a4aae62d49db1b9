import { expect, it } from "vitest";
import { rngFromSeed } from "../util/random/rng.ts";
import { quantile, ratioOfMedians, summarise, verdictOf } from "./statistics.ts";

it("gives the quantiles that numpy gives, whatever the order of the times", () => {
  // np.percentile([3, 1, 4, 1, 5, 9, 2, 6], [50, 90, 95, 99]), np.std(..., ddof=1)
  const summary = summarise([3, 1, 4, 1, 5, 9, 2, 6]);
  expect(summary).toMatchObject({ n: 8, min: 1, p50: 3.5, max: 9, mean: 3.875 });
  expect(summary.p90).toBeCloseTo(6.9, 12);
  expect(summary.p95).toBeCloseTo(7.95, 12);
  expect(summary.p99).toBeCloseTo(8.79, 12);
  expect(summary.std).toBeCloseTo(2.748376143938713, 12);
  expect(quantile([7], 0.99)).toBe(7);
  expect(summarise([2]).std).toBe(0);
  expect(() => summarise([])).toThrow("empty");
});

/** Times of a machine that slows down and recovers: both are struck alike in a round. */
function rounds(factor: number, n = 60) {
  const rng = rngFromSeed(5);
  const weather = Array.from({ length: n }, (_, i) => 100 * (1 + 0.5 * Math.sin(i / 4)));
  const noisy = (scale: number) => weather.map((time) => time * scale * (1 + 0.01 * rng.normal()));
  return [noisy(1), noisy(factor)] as const;
}

it("finds a difference of a few per cent through a slowness that strikes both", () => {
  const [a, b] = rounds(0.95);
  const ratio = ratioOfMedians(a, b, { rng: rngFromSeed(1) });
  expect(ratio.low).toBeLessThanOrEqual(ratio.value);
  expect(ratio.high).toBeGreaterThanOrEqual(ratio.value);
  expect(ratio.value).toBeCloseTo(0.95, 1);
  expect(verdictOf(ratio)).toBe("faster");
  expect(verdictOf(ratioOfMedians(b, a, { rng: rngFromSeed(1) }))).toBe("slower");
});

it("shows no difference between two lists of the same kind", () => {
  const [a, b] = rounds(1);
  const ratio = ratioOfMedians(a, b, { rng: rngFromSeed(1) });
  expect(verdictOf(ratio)).toBe("no difference shown");
  expect(ratioOfMedians(a, a, { rng: rngFromSeed(2) })).toEqual({ value: 1, low: 1, high: 1, confidence: 0.95 });
});

it("has an interval that covers the true ratio about as often as it says", () => {
  const rng = rngFromSeed(11);
  let covered = 0;
  for (let trial = 0; trial < 200; trial++) {
    const a = Array.from({ length: 30 }, () => 100 * Math.exp(0.1 * rng.normal()));
    const b = Array.from({ length: 30 }, () => 90 * Math.exp(0.1 * rng.normal()));
    const { low, high } = ratioOfMedians(a, b, { rng, resamples: 300, confidence: 0.9 });
    if (low <= 0.9 && 0.9 <= high) covered++;
  }
  expect(covered).toBeGreaterThan(165);
  expect(covered).toBeLessThan(198);
});

it("is the same for the same seed, and refuses lists that are no rounds", () => {
  const [a, b] = rounds(1.1);
  expect(ratioOfMedians(a, b, { rng: rngFromSeed(3) })).toEqual(ratioOfMedians(a, b, { rng: rngFromSeed(3) }));
  expect(() => ratioOfMedians([1], [1, 2], { rng: rngFromSeed(3) })).toThrow("no rounds");
});
