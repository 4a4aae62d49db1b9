// What lies behind the figures of an evaluation, for pages and pictures: which classes are taken for which, precision
// against recall, and how well each image came out. No tensors.

import type { Confusion, ImageOutcome, PrecisionRecall } from "../run/records/evaluation.ts";
import { type Category, type Detection, type GroundTruth, IOU_THRESHOLDS } from "./boxMatching.ts";
import { RECALLS } from "./cocoAp.ts";
import type { Evaluation } from "./evaluate.ts";
import { overlaps } from "./maskAp.ts";

/** A detection has found an object from this IoU on. */
const IOU = 0.5;

/** Classes that a confusion matrix and the curves show one by one; further ones, those with the fewest objects, are merged or left out. */
export const MOST_CLASSES = 100;

export type EvaluationDetails = {
  /** The confidence from which detections count here: that of the best F1, or 0.5 where nothing was found. */
  threshold: number;
  confusion: Confusion;
  precisionRecall: PrecisionRecall;
  images: ImageOutcome[];
};

/** The details of an evaluation. `images` has those in which there is an object or a detection, in the order of their ids. */
export function evaluationDetails(evaluation: Omit<Evaluation, "counts">): EvaluationDetails {
  const { groundTruths, detections, categories, f1 } = evaluation;
  const shown = shownClasses(categories, groundTruths);
  const confusion = emptyConfusion(shown, categories.length);
  const images: ImageOutcome[] = [];
  const threshold = f1.f1 > 0 ? f1.threshold : 0.5;
  const confident = detections.filter(({ score }) => score >= threshold);
  const overlap = overlaps();
  const found = byImage(confident);
  const truths = byImage(groundTruths);
  for (const imageId of [...new Set([...truths.keys(), ...found.keys()])].sort((a, b) => a - b)) {
    const pairs = matchImage(truths.get(imageId) ?? [], found.get(imageId) ?? [], overlap);
    for (const { truth, detection } of pairs) confusion.add(truth?.categoryId, detection?.categoryId);
    images.push({ imageId, ...outcome(pairs) });
  }
  const { classes, counts } = confusion;
  return {
    threshold,
    confusion: { classes, counts },
    precisionRecall: precisionRecall(evaluation, shown),
    images,
  };
}

function byImage<Item extends { imageId: number }>(items: readonly Item[]): Map<number, Item[]> {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const group = groups.get(item.imageId);
    if (group) group.push(item);
    else groups.set(item.imageId, [item]);
  }
  return groups;
}

type Overlap = ReturnType<typeof overlaps>;

/** A truth and the detection that found it or was taken for it; one of both alone is a miss, or a false alarm. */
type Pair = { truth?: GroundTruth; detection?: Detection; iou: number };

/**
 * Detections find objects of their own class first, best-scored first, each the one it overlaps most. What is left is
 * paired across classes, largest overlap first. Detections that lie in a crowd of their class count neither way, nor
 * does the crowd.
 */
function matchImage(all: readonly GroundTruth[], detections: readonly Detection[], overlap: Overlap): Pair[] {
  const truths = all.filter(({ isCrowd }) => !isCrowd);
  const pairs: Pair[] = [];
  const open = new Set(truths);
  const left: Detection[] = [];
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    const same = [...open].filter(({ categoryId }) => categoryId === detection.categoryId);
    const best = closest(same, detection, overlap);
    if (best) {
      open.delete(best.truth);
      pairs.push({ ...best, detection });
    } else left.push(detection);
  }
  const across = left
    .flatMap((detection) => [...open].map((truth) => ({ truth, detection, iou: overlap(detection, truth) })))
    .filter(({ iou }) => iou >= IOU)
    .sort((a, b) => b.iou - a.iou);
  const alone = new Set(left);
  for (const pair of across) {
    if (!open.has(pair.truth) || !alone.has(pair.detection)) continue;
    open.delete(pair.truth);
    alone.delete(pair.detection);
    pairs.push(pair);
  }
  for (const truth of open) pairs.push({ truth, iou: 0 });
  for (const detection of alone) if (!inCrowd(all, detection, overlap)) pairs.push({ detection, iou: 0 });
  return pairs;
}

function closest(
  truths: readonly GroundTruth[],
  detection: Detection,
  overlap: Overlap,
): { truth: GroundTruth; iou: number } | undefined {
  let best: { truth: GroundTruth; iou: number } | undefined;
  for (const truth of truths) {
    const iou = overlap(detection, truth);
    if (iou >= IOU && iou > (best?.iou ?? 0)) best = { truth, iou };
  }
  return best;
}

function inCrowd(truths: readonly GroundTruth[], detection: Detection, overlap: Overlap): boolean {
  return truths.some(
    (truth) => truth.isCrowd && truth.categoryId === detection.categoryId && overlap(detection, truth) >= IOU,
  );
}

function outcome(pairs: readonly Pair[]): Omit<ImageOutcome, "imageId"> {
  let [found, missed, wrong, sum] = [0, 0, 0, 0];
  for (const { truth, detection, iou } of pairs) {
    if (truth && detection && truth.categoryId === detection.categoryId) {
      found++;
      sum += iou;
    } else {
      if (truth) missed++;
      if (detection) wrong++;
    }
  }
  const all = found + (missed + wrong) / 2;
  return { found, missed, wrong, quality: all === 0 ? null : sum / all };
}

/** The classes with the most objects, in the order of the class table. */
function shownClasses(categories: readonly Category[], groundTruths: readonly GroundTruth[]): Category[] {
  const counts = new Map<number, number>();
  for (const { categoryId } of groundTruths) counts.set(categoryId, (counts.get(categoryId) ?? 0) + 1);
  const count = ({ id }: Category) => counts.get(id) ?? 0;
  const most = [...categories].sort((a, b) => count(b) - count(a)).slice(0, MOST_CLASSES);
  return categories.filter((category) => most.includes(category));
}

function emptyConfusion(shown: readonly Category[], all: number) {
  const merged = all > shown.length;
  const classes = [...shown.map(({ name }) => name), ...(merged ? [`${all - shown.length} other classes`] : [])];
  const placeOf = new Map(shown.map(({ id }, i) => [id, i]));
  const background = classes.length;
  const counts = Array.from({ length: background + 1 }, () => new Array<number>(background + 1).fill(0));
  const place = (id: number | undefined) => (id === undefined ? background : (placeOf.get(id) ?? shown.length));
  return {
    classes,
    counts,
    add: (truth: number | undefined, detection: number | undefined) => {
      counts[place(truth)]![place(detection)]!++;
    },
  };
}

function precisionRecall(
  { curves, perClass }: Pick<Evaluation, "curves" | "perClass">,
  shown: readonly Category[],
): PrecisionRecall {
  const [T, K, R] = [IOU_THRESHOLDS.length, perClass.length, RECALLS.length];
  const curve = (t: number, k: number) => curves.precision.subarray((t * K + k) * R, (t * K + k + 1) * R);
  const measured = perClass.flatMap(({ annotations }, k) => (annotations > 0 ? [k] : []));
  const mean = (thresholds: readonly number[]) =>
    Array.from(RECALLS, (_, r) => {
      let sum = 0;
      for (const t of thresholds) for (const k of measured) sum += curve(t, k)[r]!;
      return rounded(sum / (thresholds.length * measured.length));
    });
  const ids = new Set(shown.map(({ id }) => id));
  return {
    recalls: Array.from(RECALLS, rounded),
    mean:
      measured.length === 0
        ? null
        : { "0.50": mean([0]), "0.75": mean([5]), "0.50:0.95": mean(Array.from({ length: T }, (_, t) => t)) },
    classes: measured
      .filter((k) => ids.has(perClass[k]!.id))
      .map((k) => ({ name: perClass[k]!.name, precision: Array.from(curve(0, k), rounded) })),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/**
 * The images to look at: the worst, most mistakes first among equals, and the best, most objects first among equals; at
 * most `each` of both, and none twice.
 */
export function worstAndBest(
  images: readonly ImageOutcome[],
  each: number,
): { worst: ImageOutcome[]; best: ImageOutcome[] } {
  const judged = images.filter(({ quality }) => quality !== null);
  const mistakes = ({ missed, wrong }: ImageOutcome) => missed + wrong;
  const ranked = [...judged].sort(
    (a, b) => a.quality! - b.quality! || mistakes(b) - mistakes(a) || a.found - b.found || a.imageId - b.imageId,
  );
  const worst = ranked.slice(0, Math.min(each, Math.ceil(ranked.length / 2)));
  const best = ranked.slice(worst.length).slice(-each).reverse();
  return { worst, best };
}
