// The confidence threshold at which detections balance precision and recall best: macro F1 over the classes, as the
// reference's evaluation/f1_sweep.py.

import type { F1 } from "../run/records/evaluation.ts";
import {
  type Category,
  type Detection,
  type GroundTruth,
  matchClasses,
  type ObjectComparison,
  spaced,
} from "./boxMatching.ts";

const THRESHOLDS = spaced(0, 1, 101);

type Objects = {
  groundTruths: readonly GroundTruth[];
  detections: readonly Detection[];
  categories: readonly Category[];
  /** Default: boxes. */
  compare?: ObjectComparison | undefined;
};

/** The best of the 101 thresholds of `f1Sweep`, the lowest of equals. All zero where there is nothing to find. */
export function bestF1(objects: Objects): F1 {
  return bestOf(f1Sweep(objects));
}

/** The best of a sweep, the lowest threshold of equals. */
export function bestOf(sweep: readonly F1[]): F1 {
  return sweep.reduce((a, b) => (b.f1 > a.f1 ? b : a));
}

/**
 * F1, precision and recall at the thresholds 0, 0.01, ... 1, at IoU 0.5. All detections count; those matched to a crowd
 * count neither way.
 */
export function f1Sweep({ groundTruths, detections, categories, compare }: Objects): F1[] {
  const sums = Array.from(THRESHOLDS, (threshold): F1 => ({ threshold, f1: 0, precision: 0, recall: 0 }));
  let classes = 0;
  const everything = { groundTruths, detections, classes: categories, limit: Number.POSITIVE_INFINITY, compare };
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
  const n = Math.max(1, classes);
  return sums.map(({ threshold, f1, precision, recall }) => {
    return { threshold, f1: f1 / n, precision: precision / n, recall: recall / n };
  });
}
