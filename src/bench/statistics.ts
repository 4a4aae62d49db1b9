// What is said of a list of times: percentiles, and how sure one may be that two lists differ.

import type { Rng } from "../util/random/rng.ts";

/** Of times in milliseconds; `std` is that of a sample. */
export type Summary = {
  n: number;
  mean: number;
  std: number;
  min: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
};

/** The names of `Summary` in the order in which tables show them. */
export const COLUMNS = ["p50", "p90", "p95", "p99", "mean", "min", "max"] as const satisfies (keyof Summary)[];

/**
 * The value below which a share of a sorted list lies, linear between neighbours (numpy's default). Throws where the list
 * is empty.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new Error("no quantile of an empty list");
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}

/** Throws where there are no times. */
export function summarise(times: readonly number[]): Summary {
  const sorted = Float64Array.from(times).sort();
  const n = sorted.length;
  const at = (share: number) => quantile(sorted, share);
  const mean = sorted.reduce((sum, time) => sum + time, 0) / n;
  const squares = sorted.reduce((sum, time) => sum + (time - mean) ** 2, 0);
  return {
    n,
    mean,
    std: n > 1 ? Math.sqrt(squares / (n - 1)) : 0,
    min: at(0),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  };
}

/** `value` is median(b) / median(a); the true one lies from `low` to `high` with the given confidence. */
export type Ratio = { value: number; low: number; high: number; confidence: number };

/**
 * How many times as long b takes as a, by the bootstrap over rounds: a round is a time of each, taken one after the other,
 * and is drawn as a pair, so that what slowed the machine for both does not count as a difference. The interval is that
 * of percentiles. a, b: as many times as there were rounds. Throws where there are none, or not as many.
 */
export function ratioOfMedians(
  a: readonly number[],
  b: readonly number[],
  { rng, resamples = 4000, confidence = 0.95 }: { rng: Rng; resamples?: number; confidence?: number },
): Ratio {
  const n = a.length;
  if (n === 0 || b.length !== n) throw new Error(`${n} times of one and ${b.length} of the other are no rounds`);
  const ratios = new Float64Array(resamples);
  const [drawnA, drawnB] = [new Float64Array(n), new Float64Array(n)];
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) {
      const round = rng.int(n);
      drawnA[i] = a[round]!;
      drawnB[i] = b[round]!;
    }
    ratios[r] = median(drawnB) / median(drawnA);
  }
  ratios.sort();
  const tail = (1 - confidence) / 2;
  return {
    value: median(Float64Array.from(b)) / median(Float64Array.from(a)),
    low: quantile(ratios, tail),
    high: quantile(ratios, 1 - tail),
    confidence,
  };
}

/** Sorts its argument. */
function median(values: Float64Array): number {
  return quantile(values.sort(), 0.5);
}

/** What a ratio shows: a difference only where its whole interval lies on one side of 1. */
export type Verdict = "faster" | "slower" | "no difference shown";

/** Of the second against the first. */
export function verdictOf({ low, high }: Ratio): Verdict {
  if (high < 1) return "faster";
  return low > 1 ? "slower" : "no difference shown";
}
