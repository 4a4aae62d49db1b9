// Drawn changes, done to an image and to the boxes, masks and keypoints in it.

import { type Annotation, clampBoxes, type PixelBoxes } from "../../data/dataset/sample.ts";
import type { Rgb } from "../../data/image/decode.ts";
import { resizePillow } from "../../data/image/resize.ts";
import type { Placement } from "../../instance/instance.ts";
import { placePoints, placeShape, UNMOVED } from "../../instance/placement.ts";
import { giveBytes } from "../../util/arrays/spareBytes.ts";
import { fromMirrored, mirrorPixels, transposePixels, turnUpsideDown, warpPixels } from "./geometry/pixels.ts";
import { boundsOf, clipOutline, type Outline, outlinesOf } from "./outlines.ts";
import { placementOf, placementsOf } from "./placements.ts";
import { type Area, type Change, type Size, sizeAfter } from "./step.ts";

/**
 * Make the changes. Mirroring is left to the last resize (`resizeNormalised`), which passes over all pixels anyway: `mirrored` says whether it
 * is still to be done. The image itself stays as it is, and is what comes back where nothing is done to its pixels.
 */
export function changeImage(image: Rgb, changes: readonly Change[]): { image: Rgb; mirrored: boolean } {
  let now = image;
  let mirrored = false;
  const become = (next: Rgb) => {
    if (next.data !== now.data && now.data !== image.data) giveBytes(now.data);
    now = next;
  };
  for (const { resize, cut, warp, transpose, upsideDown, recolour, oriented, mirror } of changes) {
    const { width, height } = resize ?? now;
    become(resizePillow(now, width, height, { cut: cut && mirrored ? fromRight(cut, width) : cut }));
    if (warp) {
      become(warpPixels(now, mirrored ? { ...warp, matrix: fromMirrored(warp.matrix, now.width) } : warp));
      mirrored = false;
    }
    if ((transpose || oriented) && mirrored) {
      become(mirrorPixels(now));
      mirrored = false;
    }
    if (transpose) become(transposePixels(now));
    if (upsideDown) become(turnUpsideDown(now));
    if (recolour) become(recolour(now));
    if (mirror) mirrored = !mirrored;
  }
  return { image: now, mirrored };
}

/** The same area of the mirrored image. */
function fromRight(area: Area, width: number): Area {
  return { ...area, left: width - area.left - area.width };
}

/**
 * The same for boxes (xyxy, in pixels of the original image), mirroring included. What a change leaves without area is
 * dropped, with its mask and keypoints. The result is in pixels of an image of size `frame`. A box that was turned or tilted is the one around
 * its four corners, or around its mask's outline where it was so before.
 */
export function changeBoxes(
  boxes: PixelBoxes,
  size: Size,
  changes: readonly Change[],
): { boxes: PixelBoxes; frame: Size } {
  let now = boxes;
  let frame: Size = { width: size.width, height: size.height };
  const outlines = changes.some(({ warp }) => warp) ? outlinesOf(boxes, size) : new Map<Annotation, Outline>();
  for (const change of changes) {
    const after = sizeAfter(change, frame);
    const moves = placementsOf(change, frame).filter(isMove);
    frame = after;
    if (moves.length === 0 && !change.cut) continue;
    if (moves.length > 0) now = { ...now, boxes: moves.reduce(placeBoxes, now.boxes) };
    for (const [of, outline] of outlines) outlines.set(of, clipOutline(moves.reduce(placeOutline, outline), after));
    if (change.warp) now = boxesAround(now, outlines);
    if (change.cut || change.warp) now = clampBoxes(now, after.width, after.height);
  }
  if (!now.shapes) return { boxes: now, frame };
  const placement = placementOf(changes, size);
  return { boxes: { ...now, shapes: now.shapes.map((shape) => placeShape(shape, placement)) }, frame };
}

/** Whether any point comes to another place. */
function isMove(move: Placement): boolean {
  return move.length !== 4 || move.some((v, i) => v !== UNMOVED[i]);
}

function placeOutline(outline: Outline, move: Placement): Outline {
  return outline.map((part) => placePoints(part, move));
}

/** Boxes around the corners of the moved ones. */
function placeBoxes(boxes: Float64Array, move: Placement): Float64Array {
  const out = new Float64Array(boxes.length);
  if (move.length === 4) {
    const [sx, sy, tx, ty] = move;
    for (let i = 0; i < boxes.length; i += 4) {
      const [x1, x2] = [sx * boxes[i]! + tx, sx * boxes[i + 2]! + tx];
      const [y1, y2] = [sy * boxes[i + 1]! + ty, sy * boxes[i + 3]! + ty];
      out[i] = Math.min(x1, x2);
      out[i + 1] = Math.min(y1, y2);
      out[i + 2] = Math.max(x1, x2);
      out[i + 3] = Math.max(y1, y2);
    }
    return out;
  }
  for (let i = 0; i < boxes.length; i += 4) {
    const [x1, y1, x2, y2] = [boxes[i]!, boxes[i + 1]!, boxes[i + 2]!, boxes[i + 3]!];
    out.set(boundsOf([placePoints([x1, y1, x2, y1, x2, y2, x1, y2], move)]), i);
  }
  return out;
}

/** The boxes whose object has an outline are around that; one of which nothing is left has no area. */
function boxesAround(boxes: PixelBoxes, outlines: ReadonlyMap<Annotation, Outline>): PixelBoxes {
  const around = boxes.boxes.slice();
  for (const [n, annotation] of boxes.annotations?.entries() ?? []) {
    const outline = outlines.get(annotation);
    if (outline) around.set(boundsOf(outline), 4 * n);
  }
  return { ...boxes, boxes: around };
}
