// Objects and detections of pictures as a page needs them to say at any confidence which are hits, misses or errors. No tensors.

import type { BrowsedDetection, BrowsedObjects, BrowsedTruth, ObjectsRecord } from "../../run/records/browser.ts";
import type { Detection, GroundTruth } from "../boxMatching.ts";
import type { Evaluation } from "../evaluate.ts";
import { overlaps } from "../maskAp.ts";

/** As in details.ts: a detection has found an object from this IoU on. With less than the other it has nothing to do with it. */
const FOUND = 0.5;
const NEAR = 0.1;

/** Detections with less confidence are of no use to anybody who looks, and there are very many. */
const LEAST_SCORE = 0.05;
/** Detections of all pictures together; beyond it the least confident are left out. */
const MOST_DETECTIONS = 12_000;

/** What is in some images, in their order, whatever confidence is asked for. */
export function browsedObjects(
  { groundTruths, detections, categories }: Pick<Evaluation, "groundTruths" | "detections" | "categories">,
  imageIds: readonly number[],
): ObjectsRecord {
  const kinds = new Map(categories.map(({ id }, place) => [id, place]));
  const images = new Map(imageIds.map((id): [number, Image] => [id, { truths: [], found: [] }]));
  for (const truth of groundTruths) if (kinds.has(truth.categoryId)) images.get(truth.imageId)?.truths.push(truth);
  const shown = detections.filter(({ imageId, score, categoryId }) => {
    return images.has(imageId) && score >= LEAST_SCORE && kinds.has(categoryId);
  });
  const scores = shown.map(({ score }) => score).sort((a, b) => b - a);
  const floor = scores.length > MOST_DETECTIONS ? Math.ceil(100 * scores[MOST_DETECTIONS]!) / 100 : LEAST_SCORE;
  for (const detection of shown) if (detection.score >= floor) images.get(detection.imageId)!.found.push(detection);
  return {
    ...{ format: 1, classes: categories.map(({ name }) => name), floor },
    pictures: imageIds.map((id) => judge(images.get(id)!, (categoryId) => kinds.get(categoryId)!)),
  };
}

type Image = { truths: GroundTruth[]; found: Detection[] };

/**
 * What a detection finds of its own class depends on better-scored ones only, so it is the same at every confidence that lets it count.
 */
function judge({ truths: all, found }: Image, kindOf: (categoryId: number) => number): BrowsedObjects {
  const overlap = overlaps();
  const truths = all.filter(({ isCrowd }) => !isCrowd);
  const crowds = all.filter(({ isCrowd }) => isCrowd);
  const taken = new Set<number>();
  const detections = [...found]
    .sort((a, b) => b.score - a.score)
    .map((detection): BrowsedDetection => {
      const isOwn = ({ categoryId }: GroundTruth) => categoryId === detection.categoryId;
      const ious = truths.map((truth) => overlap(detection, truth));
      const best = (may: (g: number) => boolean) => {
        let [place, most] = [-1, 0];
        for (const [g, iou] of ious.entries()) if (iou > most && may(g)) [place, most] = [g, iou];
        return place;
      };
      const own = best((g) => isOwn(truths[g]!) && !taken.has(g) && ious[g]! >= FOUND);
      if (own >= 0) taken.add(own);
      const near = own >= 0 ? -1 : best((g) => isOwn(truths[g]!) && ious[g]! >= NEAR && ious[g]! < FOUND);
      const crowd = crowds.some((one) => isOwn(one) && overlap(detection, one) >= FOUND);
      const others = ious.flatMap((iou, g) =>
        own < 0 && iou >= FOUND && !isOwn(truths[g]!) ? [g, rounded(iou, 1e6)] : [],
      );
      return [
        kindOf(detection.categoryId),
        down(detection.score),
        ...pixels(detection),
        own,
        near,
        crowd ? 1 : 0,
        ...others,
      ];
    });
  return { truths: truths.map((truth): BrowsedTruth => [kindOf(truth.categoryId), ...pixels(truth)]), detections };
}

function pixels({ bbox: [x, y, width, height] }: GroundTruth | Detection): [number, number, number, number] {
  return [rounded(x, 10), rounded(y, 10), rounded(width, 10), rounded(height, 10)];
}

function rounded(value: number, by: number): number {
  return Math.round(value * by) / by;
}

/** Four digits, never above the score, so that it counts at the same confidences. */
function down(score: number): number {
  return Math.floor(score * 1e4 + 1e-6) / 1e4;
}
