// Thresholds chosen from how many detections find something at each of them: one for all classes, and one a class.

import type { OperatingRule } from "../../instance/operating/point.ts";
import { emptyTally, type Tally, THRESHOLDS } from "./counts.ts";

/** A place among THRESHOLDS, and whether the precision or recall that was asked for is reached there. */
export type Choice = { bin: number; reached: boolean };

/** Precision, recall and F1 at a threshold, as the reference counts them: all 0 where nothing is found. */
export function atThreshold({ boxes, hits, misses }: Tally, bin: number) {
  const precision = hits[bin]! / Math.max(1, hits[bin]! + misses[bin]!);
  const recall = hits[bin]! / boxes;
  return { precision, recall, f1: hits[bin] === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
}

/**
 * The one threshold of all classes. `best-f1`: of the best mean of their F1, the lowest of equals, as the reference's sweep;
 * `precision`: the lowest at which so large a share of all detections is right; `recall`: the highest at which so large a share of all
 * objects is found. Where none is, that of the best F1.
 */
export function chooseCommon(tallies: readonly Tally[], rule: OperatingRule): Choice {
  const measured = tallies.filter(({ boxes }) => boxes > 0);
  if (rule.by !== "best-f1") {
    const bin = reaching(pooled(tallies), rule);
    return bin === undefined ? { ...chooseCommon(tallies, BEST_F1), reached: false } : { bin, reached: true };
  }
  const means = Array.from(
    THRESHOLDS,
    (_, bin) => measured.reduce((sum, tally) => sum + atThreshold(tally, bin).f1, 0) / measured.length,
  );
  return { bin: highest(means), reached: true };
}

/** The threshold of each class, by the same rule; undefined for one with too few boxes, or without any that the rule allows. */
export function chooseOwn(
  tallies: readonly Tally[],
  rule: OperatingRule,
  enough: readonly boolean[],
): (number | undefined)[] {
  return tallies.map((tally, k) => {
    if (!enough[k] || tally.boxes === 0 || tally.hits[0] === 0) return undefined;
    if (rule.by !== "best-f1") return reaching(tally, rule);
    return highest(Array.from(THRESHOLDS, (_, bin) => atThreshold(tally, bin).f1));
  });
}

const BEST_F1: OperatingRule = { by: "best-f1", at: null };

/** The place of the first of the highest numbers. */
function highest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function reaching(tally: Tally, { by, at }: OperatingRule): number | undefined {
  const reaches = (bin: number) => tally.hits[bin]! > 0 && atThreshold(tally, bin)[by as "precision"] >= at! - 1e-12;
  const bins = [...THRESHOLDS.keys()];
  return by === "precision" ? bins.find(reaches) : bins.findLast(reaches);
}

/** All classes as one. */
function pooled(tallies: readonly Tally[]): Tally {
  const all = emptyTally();
  for (const { boxes, hits, misses } of tallies) {
    all.boxes += boxes;
    for (const bin of THRESHOLDS.keys()) {
      all.hits[bin]! += hits[bin]!;
      all.misses[bin]! += misses[bin]!;
    }
  }
  return all;
}

/** Of all classes together, each at its own threshold: objects, detections and those of them that are right. */
export type Outcome = { boxes: number; shown: number; hits: number };

export function outcomeAt(tallies: readonly Tally[], bins: readonly number[]): Outcome {
  const all = { boxes: 0, shown: 0, hits: 0 };
  for (const [k, { boxes, hits, misses }] of tallies.entries()) {
    all.boxes += boxes;
    all.hits += hits[bins[k]!]!;
    all.shown += hits[bins[k]!]! + misses[bins[k]!]!;
  }
  return all;
}
