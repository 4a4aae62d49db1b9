// What comes of an operating point on a split: precision and recall, and whether they are what it promised.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import { type Expected, expectedOf, type OperatingPoint } from "../../instance/operating/point.ts";
import { outcomeAt } from "./choose.ts";
import { type ScoreCounts, THRESHOLDS, tallyAll } from "./counts.ts";

/** Of all boxes together; null where there is nothing to measure. */
export type Measured = { precision: number | null; recall: number | null };

/** Precision and recall of all boxes together, each class at its threshold. `classes`: of the split, by the point's labels. */
export function measureAt(point: OperatingPoint, counts: ScoreCounts, classes: readonly ClassEntry[]): Measured {
  const own = new Map(point.classes.map(({ label, threshold }) => [label, threshold]));
  const labels = new Map(classes.map(({ categoryId, label }) => [categoryId, label]));
  const bins = counts.classes.map(({ category: { id } }) => {
    const threshold = own.get(labels.get(id) ?? -1) ?? point.threshold;
    const bin = THRESHOLDS.findIndex((one) => one >= threshold - 1e-9);
    return bin < 0 ? THRESHOLDS.length - 1 : bin;
  });
  const { boxes, shown, hits } = outcomeAt(tallyAll(counts), bins);
  return { precision: shown > 0 ? hits / shown : null, recall: boxes > 0 ? hits / boxes : null };
}

/** A measured share beside what was to be expected of so many images; `held`: whether it lies there. */
export type Confirmed = { measured: number; low: number; high: number; held: boolean };

/** Whether a split of so many images came to what the point promised; null where there is nothing to compare. */
export function confirm(
  point: OperatingPoint,
  measured: Measured,
  images: number,
): { precision: Confirmed | null; recall: Confirmed | null } {
  const one = (value: number | null, expected: Expected | null): Confirmed | null => {
    if (value === null || expected === null) return null;
    const { low, high } = expectedOf(expected, { images, chosenOn: point.images });
    return { measured: value, low, high, held: value >= low && value <= high };
  };
  return { precision: one(measured.precision, point.precision), recall: one(measured.recall, point.recall) };
}
