// What the detections in a picture say about each of its labels.

import type { Annotation } from "../../data/dataset/sample.ts";
import type { FoundObject, ReviewedPicture } from "../suspect.ts";
import { commonShare, type Footprint, footprintOf, shareInCrowd } from "./footprint.ts";

/** A detection is of an object from this IoU on; with less than the other it has nothing to do with it. */
export const FOUND = 0.5;
export const NEAR = 0.3;

/** A detection on a label, and how much both have in common. */
export type On = { found: FoundObject; share: number };

/** `index`: of the label among the picture's annotations. */
export type Evidence = {
  index: number;
  annotation: Annotation;
  footprint: Footprint;
  /** Detections that have `NEAR` or more in common with it, best-scored first. */
  near: On[];
  /** How sure its class is found on it (confidence times IoU), 0 where it is not. */
  own: number;
};

export type PictureEvidence = {
  picture: ReviewedPicture;
  labels: Evidence[];
  /** Detections that lie in no crowd; `most`: the largest share with any label. */
  found: { found: FoundObject; footprint: Footprint; most: number }[];
};

/**
 * Crowds are no labels to be judged, and what lies in one is no evidence for a missing label. Labels without area are left to the check
 * of the data set.
 */
export function evidenceOf(picture: ReviewedPicture): PictureEvidence {
  const masks = picture.found.some(({ mask }) => mask);
  const crowds = picture.annotations.filter(({ crowd }) => crowd).map((one) => footprintOf(one, { masks }));
  const found = picture.found
    .map((one) => ({ found: one, footprint: footprintOf(one, { masks }) }))
    .filter(({ footprint }) => !crowds.some((crowd) => shareInCrowd(footprint, crowd) >= FOUND));
  const most = new Float64Array(found.length);
  const labels = picture.annotations.flatMap((annotation, index): Evidence[] => {
    const [x1, y1, x2, y2] = annotation.box;
    if (annotation.crowd || !(x2 > x1 && y2 > y1)) return [];
    const footprint = footprintOf(annotation, { masks });
    const near: On[] = [];
    let own = 0;
    for (const [d, one] of found.entries()) {
      const share = commonShare(one.footprint, footprint);
      most[d] = Math.max(most[d]!, share);
      if (share < NEAR) continue;
      near.push({ found: one.found, share });
      if (share >= FOUND && one.found.label === annotation.label) own = Math.max(own, sureness({ ...one, share }));
    }
    return [{ index, annotation, footprint, near, own }];
  });
  return { picture, labels, found: found.map((one, d) => ({ ...one, most: most[d]! })) };
}

/** How sure a detection is of what it lies on. */
export function sureness({ found, share }: On): number {
  return found.score * share;
}
