// The objects of a part of a picture: boxes, masks and keypoints cut to it, and left out where too little of them is in it.

import { maskBox } from "../../instance/maskBox.ts";
import { maskRuns, type PolygonRule } from "../../instance/masks/maskRuns.ts";
import { cutRuns } from "../../instance/masks/part.ts";
import { packMask, type Runs, runsArea } from "../../instance/masks/runs.ts";
import { placeShape } from "../../instance/placement.ts";
import type { PartArea } from "../../instance/slices/layout.ts";
import { UserError } from "../../util/errors.ts";
import type { Annotation } from "../dataset/sample.ts";

/** An object is one of a part where at least this share of its area is in it: what SAHI takes. */
const LEAST_VISIBLE = 0.1;

type Box = Annotation["box"];

/**
 * Cuts an object to parts of its picture. A part gives undefined where less than a tenth of it is there: of its mask where it has
 * one that can be used, else of its box. Coordinates are those of the part; a box lies around what is seen of the mask.
 */
export function clipper(
  annotation: Annotation,
  picture: PartArea["picture"],
  { rule = "coco" }: { rule?: PolygonRule | undefined } = {},
): (area: PartArea) => Annotation | undefined {
  const whole = overlap(annotation.box, { left: 0, top: 0, width: picture[1], height: picture[0] });
  const { mask: annotated, ...rest } = annotation;
  let drawn: Runs | null | undefined;
  return (area) => {
    const seen = whole && overlap(whole, area);
    if (!seen) return undefined;
    const isInside = seen.every((side, i) => side === annotation.box[i]);
    const moved: Annotation = { ...rest, box: shift(seen, area), ...shapeIn(annotation, area) };
    if (isInside && !isRuns(annotation)) return moved;
    if (drawn === undefined) drawn = annotated ? usable(annotated, picture, rule) : null;
    if (!drawn) {
      const share = size(seen) / size(whole);
      return share < LEAST_VISIBLE ? undefined : { ...moved, area: share * annotation.area };
    }
    const cut = cutRuns(drawn, area);
    const share = runsArea(cut) / runsArea(drawn);
    if (share < LEAST_VISIBLE) return undefined;
    const mask = packMask(cut);
    const around = overlap(maskBox(mask)!, { left: 0, top: 0, width: area.width, height: area.height })!;
    const [x1, y1, x2, y2] = moved.box;
    const box: Box = [
      Math.max(x1, around[0]),
      Math.max(y1, around[1]),
      Math.min(x2, around[2]),
      Math.min(y2, around[3]),
    ];
    const isBox = box[2] > box[0] && box[3] > box[1]; // not where mask and box lie apart
    return { ...moved, mask, area: share * annotation.area, ...(isBox && !isInside && { box }) };
  };
}

/** The pixels of a mask; null where it has none, or cannot be used, which is for others to report. */
function usable(mask: NonNullable<Annotation["mask"]>, picture: PartArea["picture"], rule: PolygonRule): Runs | null {
  try {
    const runs = maskRuns(mask, { size: picture, rule, where: "" });
    return runsArea(runs) > 0 ? runs : null;
  } catch (cause) {
    if (cause instanceof UserError) return null;
    throw cause;
  }
}

function isRuns({ mask }: Annotation): boolean {
  return mask !== undefined && "counts" in mask;
}

/** Polygons and keypoints in the part; run lengths stay for whoever cuts them. */
function shapeIn({ mask, keypoints }: Annotation, { left, top }: PartArea) {
  const polygons = mask && "polygons" in mask ? mask : undefined;
  return placeShape({ ...(polygons && { mask: polygons }), ...(keypoints && { keypoints }) }, [1, 1, -left, -top]);
}

function shift([x1, y1, x2, y2]: Box, { left, top }: PartArea): Box {
  return [x1 - left, y1 - top, x2 - left, y2 - top];
}

/** What of a box lies in a part; undefined where that has no area. */
function overlap([x1, y1, x2, y2]: Box, { left, top, width, height }: Omit<PartArea, "picture">): Box | undefined {
  const box: Box = [Math.max(x1, left), Math.max(y1, top), Math.min(x2, left + width), Math.min(y2, top + height)];
  return box[2] > box[0] && box[3] > box[1] ? box : undefined;
}

function size([x1, y1, x2, y2]: Box): number {
  return (x2 - x1) * (y2 - y1);
}
