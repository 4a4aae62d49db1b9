// The confidence threshold at which detections balance precision and recall best: macro F1 over the classes, as the
// reference's evaluation/f1_sweep.py.

import { type Category, type Detection, type GroundTruth, matchClasses, spaced } from "./boxMatching.ts";

/** Means over the classes that have annotations, of the detections that score `threshold` or more. */
export type F1 = { threshold: number; f1: number; precision: number; recall: number };

const THRESHOLDS = spaced(0, 1, 101);

/**
 * The best of 101 thresholds 0, 0.01, ... 1 (the lowest of equals) at IoU 0.5. All detections count; those matched to a
 * crowd count neither way. All zero where there is nothing to find.
 */
export function bestF1({
  groundTruths,
  detections,
  categories,
}: {
  groundTruths: readonly GroundTruth[];
  detections: readonly Detection[];
  categories: readonly Category[];
}): F1 {
  const sums = Array.from(THRESHOLDS, (threshold): F1 => ({ threshold, f1: 0, precision: 0, recall: 0 }));
  let classes = 0;
  const everything = { groundTruths, detections, classes: categories, limit: Number.POSITIVE_INFINITY };
  for (const [, { scores, matched, ignored, positives }] of matchClasses(everything)) {
    if (positives[0] === 0) continue;
    classes++;
    let [i, hits, misses] = [0, 0, 0];
    for (const sum of sums.toReversed()) {
      for (; i < scores.length && scores[i]! >= sum.threshold; i++) {
        if (ignored[0]![i]! & 1) continue;
        if (matched[0]![i]! & 1) hits++;
        else misses++;
      }
      const precision = hits / Math.max(1, hits + misses);
      const recall = hits / positives[0]!;
      sum.precision += precision;
      sum.recall += recall;
      sum.f1 += hits === 0 ? 0 : (2 * precision * recall) / (precision + recall);
    }
  }
  const best = sums.reduce((a, b) => (b.f1 > a.f1 ? b : a));
  const n = Math.max(1, classes);
  return { threshold: best.threshold, f1: best.f1 / n, precision: best.precision / n, recall: best.recall / n };
}
