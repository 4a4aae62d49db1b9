// Precision and recall of a split at an operating point.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import type { Measured } from "../../instance/operating/confirm.ts";
import type { OperatingPoint } from "../../instance/operating/point.ts";
import { outcomeAt } from "./choose.ts";
import { type ScoreCounts, THRESHOLDS, tallyAll } from "./counts.ts";

/** Of all boxes together, each class at its threshold. `classes`: of the split, by the point's labels. */
export function measureAt(
  point: OperatingPoint,
  counts: ScoreCounts,
  classes: readonly Pick<ClassEntry, "categoryId" | "label">[],
): Measured {
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
