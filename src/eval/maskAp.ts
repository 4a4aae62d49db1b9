// Average precision and recall of masks: detections and objects compared by the pixels they share, equal to pycocotools' COCOeval (iouType "segm").

import { boxIou, coveredShare } from "../instance/boxes.ts";
import type { Mask } from "../instance/instance.ts";
import { maskRuns } from "../instance/masks/maskRuns.ts";
import { type Region, regionIou, regionOf } from "../instance/masks/overlap.ts";
import { runsFromChanges } from "../instance/masks/runs.ts";
import { KINDS } from "../instance/metricKinds.ts";
import { type Detection, type GroundTruth, type ObjectComparison, pairwise } from "./boxMatching.ts";
import { type CocoMetrics, cocoAp } from "./cocoAp.ts";

/**
 * Masks are compared by their pixels. They are run lengths, all of an image's of one size. An object without a mask counts neither way:
 * a detection whose box is on its box is not taken for wrong.
 */
export const compareMasks: ObjectComparison = (detections, truths) => {
  const found = detections.map(({ mask }) => (mask ? region(mask) : EMPTY));
  const annotated = truths.map((truth) => ({ truth, own: truth.mask && region(truth.mask) }));
  const places = detections.map(({ bbox }, d) => ({ bbox, own: found[d]! }));
  return {
    similarity: pairwise(places, annotated, (detection, { truth, own }) =>
      own ? regionIou(detection.own, own, { crowd: truth.isCrowd === true }) : boxIou(detection.bbox, truth.bbox),
    ),
    areas: found.map(({ area }) => area),
    left: annotated.map(({ own }) => own === undefined),
  };
};

/**
 * How much a detection and an object have in common: by their masks where both have one, else by their boxes; with a crowd, how
 * much of the detection lies in it. Masks are read once.
 */
export function overlaps(): (detection: Detection, truth: GroundTruth) => number {
  const regions = new WeakMap<Mask, Region>();
  const regionAgain = (mask: Mask) => {
    const known = regions.get(mask) ?? region(mask);
    regions.set(mask, known);
    return known;
  };
  return (detection, truth) => {
    const crowd = truth.isCrowd === true;
    if (detection.mask && truth.mask) return regionIou(regionAgain(detection.mask), regionAgain(truth.mask), { crowd });
    return (crowd ? coveredShare : boxIou)(detection.bbox, truth.bbox);
  };
}

const EMPTY = regionOf(runsFromChanges([], [1, 1]));

function region(mask: Mask): Region {
  return regionOf(maskRuns(mask, { size: null, where: "a mask that is compared" }));
}

/** COCO metrics of boxes and of masks together, the latter's under names that begin with their kind's. Curves are those of boxes. */
export function withMaskAp(boxes: CocoMetrics, objects: Parameters<typeof cocoAp>[0]): CocoMetrics {
  const masks = cocoAp({ ...objects, compare: compareMasks });
  const named = <Value>(values: Record<string, Value>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`${KINDS.segm.prefix}${name}`, value]));
  return {
    ...boxes,
    metrics: { ...boxes.metrics, ...named(masks.metrics) },
    perClass: boxes.perClass.map((one, k) => {
      const { id: _, name: __, annotations: ___, ...values } = masks.perClass[k]!;
      return { ...one, ...named(values) };
    }),
  };
}
