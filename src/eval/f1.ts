// The confidence threshold at which detections balance precision and recall best: macro F1 over the classes, as the
// reference's evaluation/f1_sweep.py.

import type { F1 } from "../run/records/evaluation.ts";
import { atThreshold } from "./operating/choose.ts";
import { countScores, type Objects, type ScoreCounts, THRESHOLDS, tallyAll } from "./operating/counts.ts";

/** The best of the 101 thresholds of `f1Sweep`, the lowest of equals. All zero where there is nothing to find. */
export function bestF1(objects: Objects): F1 {
  return bestOf(f1Sweep(objects));
}

/** The best of a sweep, the lowest threshold of equals. */
export function bestOf(sweep: readonly F1[]): F1 {
  return sweep.reduce((a, b) => (b.f1 > a.f1 ? b : a));
}

/** F1, precision and recall at the thresholds 0, 0.01, ... 1, at IoU 0.5: means over the classes that have objects. */
export function f1Sweep(objects: Objects): F1[] {
  return sweepOf(countScores(objects));
}

/** As `f1Sweep`, of what was counted already. */
export function sweepOf(counts: ScoreCounts): F1[] {
  const measured = tallyAll(counts).filter(({ boxes }) => boxes > 0);
  const n = Math.max(1, measured.length);
  return Array.from(THRESHOLDS, (threshold, bin) => {
    const sum = { f1: 0, precision: 0, recall: 0 };
    for (const tally of measured) {
      const { f1, precision, recall } = atThreshold(tally, bin);
      sum.f1 += f1;
      sum.precision += precision;
      sum.recall += recall;
    }
    return { threshold, f1: sum.f1 / n, precision: sum.precision / n, recall: sum.recall / n };
  });
}
