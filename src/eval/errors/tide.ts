// Why detections are wrong and what that costs: TIDE's six kinds of errors (Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object
// Detection Errors"), equal to the package tidecv, its habits included.

import { TIDE_KINDS, type TideErrors, type TideKind } from "../../run/records/tideErrors.ts";
import type { Detection, GroundTruth } from "../boxMatching.ts";
import { overlaps } from "../maskAp.ts";
import { averagePrecision, type Point } from "./averagePrecision.ts";

/** A detection has found an object from this IoU on; one with less than the other has nothing to do with it. */
const FOUND = 0.5;
const NEAR = 0.1;

/** A detection as it was judged: as a hit, as an error of a kind, or in a crowd, where it may be both an error and not counted. */
type Judged = {
  detection: Detection;
  kind: TideKind | "hit";
  ignored: boolean;
  /** What a better class or a better box would find: an object that nothing else has found. */
  wanted: GroundTruth | null;
};

/**
 * The errors of detections and the AP at IoU 0.5 that fixing each kind would bring, from 0 to 1; `maxDets` best-scored detections of an
 * image count. By masks where both have one. Null where there is neither an object nor a detection.
 *
 * As in tidecv, and unlike COCO, a class that was detected but has no object counts as one with AP 0; among equal scores what
 * was found comes last once something is fixed; and a detection in a crowd can be fixed to a hit.
 */
export function tideErrors({
  groundTruths,
  detections,
  maxDets,
}: {
  groundTruths: readonly GroundTruth[];
  detections: readonly Detection[];
  maxDets: number;
}): TideErrors | null {
  const judged: Judged[] = [];
  const [unfound, missed]: GroundTruth[][] = [[], []];
  for (const { truths, found } of imagesOf(groundTruths, detections)) {
    const best = found.sort((a, b) => b.score - a.score).slice(0, maxDets);
    const image = judgeImage(truths, best);
    for (const one of image.judged) judged.push(one);
    unfound!.push(...image.unfound);
    missed!.push(...image.missed);
  }
  const objects = countClasses(groundTruths.filter(({ isCrowd }) => !isCrowd));
  const fixable = fixableOf(judged);
  const order = orders(judged);
  const apWith = (fix: TideKind) =>
    averagePrecision(
      order.errorsFirst.map((one) => fixed(one, { fix, fixable })),
      objects,
    );
  const apWithout = (some: readonly GroundTruth[]) => {
    const left = countClasses(some);
    const rest = new Map([...objects].map(([id, count]) => [id, count - (left.get(id) ?? 0)]));
    return averagePrecision(order.errorsFirst.map(asFound), rest);
  };
  const ap = averagePrecision(order.byScore.map(asFound), objects);
  if (ap === null) return null;
  const gain = (to: number | null) => (to ?? 0) - ap;
  const kinds = TIDE_KINDS.map((kind) => ({
    kind,
    count: kind === "missed" ? missed!.length : judged.filter((one) => one.kind === kind).length,
    cost: Math.max(0, gain(kind === "missed" ? apWithout(missed!) : apWith(kind))),
  }));
  const falsePositives = gain(averagePrecision(order.hitsFirst.map(asFound), objects));
  return { ap, kinds, falsePositives, falseNegatives: gain(apWithout(unfound!)) };
}

function countClasses(truths: readonly GroundTruth[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { categoryId } of truths) counts.set(categoryId, (counts.get(categoryId) ?? 0) + 1);
  return counts;
}

/** What was judged, best-scored first; with errors before hits of the same score; and as if hits had scored 1 and all else 0. */
function orders(judged: readonly Judged[]): Record<"byScore" | "errorsFirst" | "hitsFirst", Judged[]> {
  const byScore = [...judged].sort((a, b) => b.detection.score - a.detection.score);
  const isHit = ({ kind }: Judged) => Number(kind === "hit");
  const errorsFirst = [...byScore].sort((a, b) => b.detection.score - a.detection.score || isHit(a) - isHit(b));
  return { byScore, errorsFirst, hitsFirst: [...byScore].sort((a, b) => isHit(b) - isHit(a)) };
}

/** As it counts; null where it does not. */
function asFound({ detection: { categoryId }, kind, ignored }: Judged): Point | null {
  return ignored ? null : { categoryId, correct: kind === "hit" };
}

/** As it would count if errors of a kind were fixed. */
function fixed(one: Judged, { fix, fixable }: { fix: TideKind; fixable: ReadonlySet<Judged> }): Point | null {
  if (one.kind !== fix) return asFound(one);
  return one.wanted && fixable.has(one) ? { categoryId: one.wanted.categoryId, correct: true } : null;
}

/** Objects and detections of each image, by its id. */
function imagesOf(groundTruths: readonly GroundTruth[], detections: readonly Detection[]) {
  const images = new Map<number, { truths: GroundTruth[]; found: Detection[] }>();
  const at = (imageId: number) => {
    const image = images.get(imageId) ?? { truths: [], found: [] };
    images.set(imageId, image);
    return image;
  };
  for (const truth of groundTruths) at(truth.imageId).truths.push(truth);
  for (const detection of detections) at(detection.imageId).found.push(detection);
  return [...images].sort(([a], [b]) => a - b).map(([, image]) => image);
}

/** Detections, best first, each with why it is wrong; objects that nothing found, and those of them that no better class or box would find. */
function judgeImage(all: readonly GroundTruth[], detections: readonly Detection[]) {
  const overlap = overlaps();
  const truths = all.filter(({ isCrowd }) => !isCrowd);
  const crowds = all.filter(({ isCrowd }) => isCrowd);
  const ious = detections.map((detection) => truths.map((truth) => overlap(detection, truth)));
  const taken = new Set<number>();
  const hits = detections.map(({ categoryId }, d) => {
    const open = (truth: GroundTruth, g: number) => truth.categoryId === categoryId && !taken.has(g);
    const g = highest(truths, (truth, g) => (open(truth, g) ? ious[d]![g]! : Number.NEGATIVE_INFINITY));
    const hit = g >= 0 && ious[d]![g]! >= FOUND;
    if (hit) taken.add(g);
    return hit;
  });
  const usable = new Set<number>();
  const judged = detections.map((detection, d): Judged => {
    if (hits[d]) return { detection, kind: "hit", ignored: false, wanted: null };
    const { kind, wanted: g } = judge(truths, { detection, ious: ious[d]!, taken });
    const ignored = crowds.some(
      (crowd) => crowd.categoryId === detection.categoryId && overlap(detection, crowd) > FOUND,
    );
    const free = g !== undefined && !taken.has(g);
    if (free) usable.add(g);
    return { detection, kind, ignored, wanted: free ? truths[g]! : null };
  });
  const unfound = truths.filter((_, g) => !taken.has(g));
  return { judged, unfound, missed: truths.filter((_, g) => !taken.has(g) && !usable.has(g)) };
}

/** Why a detection that found nothing is wrong, and which object it would find with a better box or class. */
function judge(
  truths: readonly GroundTruth[],
  { detection, ious, taken }: { detection: Detection; ious: readonly number[]; taken: ReadonlySet<number> },
): { kind: TideKind; wanted?: number } {
  const isOwn = ({ categoryId }: GroundTruth) => categoryId === detection.categoryId;
  const own = highest(truths, (truth, g) => (isOwn(truth) ? ious[g]! : 0));
  if (own < 0) return { kind: "background" };
  const ofOwn = isOwn(truths[own]!) ? ious[own]! : 0;
  if (ofOwn >= NEAR && ofOwn <= FOUND) return { kind: "localisation", wanted: own };
  const other = highest(truths, (truth, g) => (isOwn(truth) ? 0 : ious[g]!));
  if (!isOwn(truths[other]!) && ious[other]! >= FOUND) return { kind: "classification", wanted: other };
  if (truths.some((truth, g) => isOwn(truth) && taken.has(g) && ious[g]! >= FOUND)) return { kind: "duplicate" };
  return { kind: ious.every((iou) => iou <= NEAR) ? "background" : "both" };
}

/** The place of the first of the highest values; -1 of none. */
function highest<Item>(items: readonly Item[], value: (item: Item, i: number) => number): number {
  let [place, most] = [-1, Number.NEGATIVE_INFINITY];
  for (const [i, item] of items.entries()) {
    const one = value(item, i);
    if (one > most) [place, most] = [i, one];
  }
  return place;
}

/** Which detections would find their object if they were fixed: of those that want the same one, the first of the best-scored. */
function fixableOf(judged: readonly Judged[]): ReadonlySet<Judged> {
  const best = new Map<GroundTruth, Judged>();
  for (const one of judged) {
    const { wanted, detection } = one;
    if (wanted && detection.score > (best.get(wanted)?.detection.score ?? Number.NEGATIVE_INFINITY))
      best.set(wanted, one);
  }
  return new Set(best.values());
}
