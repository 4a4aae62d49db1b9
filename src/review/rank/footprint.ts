// Where labels and detections lie, and how much two of them have in common.

import { boxIou, type CocoBox, coveredShare } from "../../instance/boxes.ts";
import type { Instance } from "../../instance/instance.ts";
import { maskRuns } from "../../instance/masks/maskRuns.ts";
import { type Region, regionIou, regionOf } from "../../instance/masks/overlap.ts";

/** A box, and its mask where there is one. */
export type Footprint = { box: CocoBox; region?: Region };

/** `masks`: whether masks are compared; they are run lengths of the size of their picture then. */
export function footprintOf(
  { box: [x1, y1, x2, y2], mask }: Pick<Instance, "box" | "mask">,
  { masks }: { masks: boolean },
): Footprint {
  // biome-ignore format: one line
  const box: CocoBox = [x1, y1, x2 - x1, y2 - y1];
  if (!masks || !mask) return { box };
  return { box, region: regionOf(maskRuns(mask, { size: null, where: "a mask that is compared" })) };
}

/** Intersection over union, by masks where both have one. */
export function commonShare(a: Footprint, b: Footprint): number {
  return a.region && b.region ? regionIou(a.region, b.region) : boxIou(a.box, b.box);
}

/** The part of an object that lies in a crowd. */
export function shareInCrowd(one: Footprint, crowd: Footprint): number {
  return one.region && crowd.region
    ? regionIou(one.region, crowd.region, { crowd: true })
    : coveredShare(one.box, crowd.box);
}
