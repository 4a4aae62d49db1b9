// Average precision and recall as COCO defines them, equal to pycocotools' COCOeval.

import { MAIN_METRIC, type MetricSummary } from "../instance/metrics.ts";
import {
  AREAS,
  type Category,
  type Detection,
  type GroundTruth,
  IOU_THRESHOLDS,
  matchClasses,
  type ObjectComparison,
  type RankedMatches,
  spaced,
} from "./boxMatching.ts";

/** Metrics of one class: -1 where the class has no (non-crowd) annotation. */
type ClassMetrics = {
  id: number;
  name: string;
  annotations: number;
} & MetricSummary<number>;

export type CocoMetrics = {
  /** Means over the classes that have annotations, -1 if none has: the main metric, AP50, AP75, APs, APm, APl, AR (at the largest of maxDets), AR<n> for each of maxDets, ARs, ARm, ARl. */
  metrics: Record<string, number>;
  /** By category id, ascending. */
  perClass: ClassMetrics[];
  /**
   * Interpolated precision, and the lowest score that reaches it, at each of 101 recalls 0, 0.01, ... 1, for any area
   * and the largest of maxDets: [10 IoU thresholds, classes, 101]; precision is -1 for a class without annotations.
   */
  curves: { precision: Float64Array; scores: Float64Array };
};

export const RECALLS = spaced(0, 1, 101);
const [T, R, A] = [IOU_THRESHOLDS.length, RECALLS.length, AREAS.length];

/**
 * COCO metrics of detections against ground truths, by boxes unless `compare` says otherwise. Objects of other categories than those given are left out. At most
 * the largest of `maxDets` best-scored detections of an image and class count; scores must not be NaN. Ties are ordered
 * as pycocotools does: by image id, then by place in the list.
 */
export function cocoAp({
  groundTruths,
  detections,
  categories,
  maxDets = [1, 10, 100],
  compare,
}: {
  groundTruths: readonly GroundTruth[];
  detections: readonly Detection[];
  categories: readonly Category[];
  maxDets?: readonly number[];
  compare?: ObjectComparison | undefined;
}): CocoMetrics {
  const limits = [...maxDets].sort((a, b) => a - b);
  const classes = [...categories].sort((a, b) => a.id - b.id);
  const K = classes.length;
  const M = limits.length;
  const precision = new Float64Array(A * T * K * R).fill(-1);
  const scores = new Float64Array(A * T * K * R).fill(-1);
  const recall = new Float64Array(A * M * T * K).fill(-1);
  const annotations = new Int32Array(K);
  for (const [k, ranked] of matchClasses({ groundTruths, detections, classes, limit: limits[M - 1]!, compare })) {
    annotations[k] = ranked.positives[0]!;
    for (let a = 0; a < A; a++) {
      if (ranked.positives[a] === 0) continue;
      for (let t = 0; t < T; t++) {
        const hits = hitsWithin(ranked, { a, t, limits });
        for (let m = 0; m < M; m++) recall[((a * M + m) * T + t) * K + k] = hits[m]! / ranked.positives[a]!;
        const curve = at(a, t, k);
        const of = { matched: ranked.matched[a]!, ignored: ranked.ignored[a]!, positives: ranked.positives[a]!, t };
        scores.fill(0, curve, curve + R);
        interpolate(of, precision.subarray(curve, curve + R), (r, i) => {
          scores[curve + r] = ranked.scores[i]!;
        });
      }
    }
  }
  function at(a: number, t: number, k: number): number {
    return ((a * T + t) * K + k) * R;
  }

  const ap = (a: number, t?: number) =>
    meanOfValid(
      t === undefined
        ? precision.subarray(at(a, 0, 0), at(a + 1, 0, 0))
        : precision.subarray(at(a, t, 0), at(a, t + 1, 0)),
    );
  const ar = (a: number, m: number) => meanOfValid(recall.subarray((a * M + m) * T * K, (a * M + m + 1) * T * K));
  const metrics: Record<string, number> = { [MAIN_METRIC]: ap(0), AP50: ap(0, 0), AP75: ap(0, 5) };
  for (let a = 1; a < A; a++) metrics[`AP${AREAS[a]!.suffix}`] = ap(a);
  metrics.AR = ar(0, M - 1);
  for (const [m, limit] of limits.entries()) metrics[`AR${limit}`] = ar(0, m);
  for (let a = 1; a < A; a++) metrics[`AR${AREAS[a]!.suffix}`] = ar(a, M - 1);

  const perClass = classes.map(({ id, name }, k): ClassMetrics => {
    const each = Array.from({ length: T }, (_, t) => meanOfValid(precision.subarray(at(0, t, k), at(0, t, k) + R)));
    const recalls = Float64Array.from(each, (_, t) => recall[((M - 1) * T + t) * K + k]!);
    const of = { AP50: each[0]!, AP75: each[5]!, AR: meanOfValid(recalls), annotations: annotations[k]! };
    return { id, name, [MAIN_METRIC]: meanOfValid(each), ...of };
  });
  return {
    metrics,
    perClass,
    curves: { precision: precision.slice(0, T * K * R), scores: scores.slice(0, T * K * R) },
  };
}

/** The three limits on detections that COCO reports recall at, the last one being what all else is measured at. */
export function limits(maxDets: number): number[] {
  return [1, 10, maxDets].filter((limit, i) => i === 2 || limit < maxDets);
}

/** How many objects of area range a are found at threshold t by the best 1..limit detections of each image, for each limit. */
function hitsWithin(
  { rank, matched, ignored }: RankedMatches,
  { a, t, limits }: { a: number; t: number; limits: number[] },
): number[] {
  const hits = limits.map(() => 0);
  for (let i = 0; i < rank.length; i++) {
    if (!(matched[a]![i]! & ~ignored[a]![i]! & (1 << t))) continue;
    for (let m = limits.length - 1; m >= 0 && rank[i]! < limits[m]!; m--) hits[m]!++;
  }
  return hits;
}

/** A curve at IoU threshold t: the detections of a class, best first, and how many objects there are. */
export type CurveOf = {
  matched: Uint16Array;
  ignored: Uint16Array;
  positives: number;
  t: number;
  times?: ArrayLike<number>;
};

/**
 * Fills `precision` [R] with the best precision at each recall or above, 0 where none is. `times`: how often each detection counts, once by
 * default. `reach` is told which detection is the first to reach each recall.
 */
export function interpolate(
  { matched, ignored, positives, t, times }: CurveOf,
  precision: Float64Array,
  reach?: (recall: number, detection: number) => void,
): void {
  let [hits, misses, r] = [0, 0, 0];
  for (let i = 0; i < matched.length; i++) {
    const n = times ? times[i]! : 1;
    if ((ignored[i]! >> t) & 1) {
      // counts neither way
    } else if ((matched[i]! >> t) & 1) hits += n;
    else misses += n;
    const reached = hits / (hits + misses + Number.EPSILON);
    for (; r < R && RECALLS[r]! <= hits / positives; r++) {
      precision[r] = 0;
      reach?.(r, i);
    }
    // the precision of a later detection counts for all recalls up to its own
    if (r > 0) precision[r - 1] = Math.max(precision[r - 1]!, reached);
  }
  precision.fill(0, r);
  for (let i = r - 2; i >= 0; i--) precision[i] = Math.max(precision[i]!, precision[i + 1]!);
}

function meanOfValid(values: ArrayLike<number>): number {
  let [sum, n] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (values[i]! <= -1) continue;
    sum += values[i]!;
    n++;
  }
  return n === 0 ? -1 : sum / n;
}
