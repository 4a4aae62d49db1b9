// Drawn changes, done to an image and to the boxes, masks and keypoints in it.

import { clampBoxes, type PixelBoxes } from "../../data/dataset/sample.ts";
import type { Rgb } from "../../data/image/decode.ts";
import { resizePillow } from "../../data/image/resize.ts";
import type { Placement } from "../../instance/instance.ts";
import { placedAgain, placeShape, UNMOVED } from "../../instance/placement.ts";
import { type Area, type Change, type Size, sizeAfter } from "./step.ts";

/**
 * Make the changes. Mirroring is left to the last resize (`resizeNormalised`), which passes over all pixels anyway: `mirrored` says whether it
 * is still to be done.
 */
export function changeImage(image: Rgb, changes: readonly Change[]): { image: Rgb; mirrored: boolean } {
  let now = image;
  let mirrored = false;
  for (const { resize, cut, recolour, mirror } of changes) {
    const { width, height } = resize ?? now;
    now = resizePillow(now, width, height, { cut: cut && mirrored ? fromRight(cut, width) : cut });
    if (recolour) now = recolour(now);
    if (mirror) mirrored = !mirrored;
  }
  return { image: now, mirrored };
}

/** The same area of the mirrored image. */
function fromRight(area: Area, width: number): Area {
  return { ...area, left: width - area.left - area.width };
}

/**
 * The same for boxes (xyxy, in pixels of the original image), mirroring included. What a cut leaves without area is
 * dropped, with its mask and keypoints. The result is in pixels of an image of size `frame`.
 */
export function changeBoxes(
  boxes: PixelBoxes,
  size: Size,
  changes: readonly Change[],
): { boxes: PixelBoxes; frame: Size } {
  let now = boxes;
  let frame: Size = { width: size.width, height: size.height };
  let placement: Placement = UNMOVED;
  for (const change of changes) {
    const after = sizeAfter(change, frame);
    const { resize = frame, cut, mirror } = change;
    const [sx, sy] = [resize.width / frame.width, resize.height / frame.height];
    const { left, top } = cut ?? { left: 0, top: 0 };
    now = { ...now, boxes: now.boxes.map((v, i) => (i % 2 === 0 ? v * sx - left : v * sy - top)) };
    if (cut) now = clampBoxes(now, after.width, after.height);
    if (mirror) now = mirrorBoxes(now, after.width);
    placement = placedAgain(placement, [sx, sy, -left, -top]);
    if (mirror) placement = placedAgain(placement, [-1, 1, after.width, 0]);
    frame = after;
  }
  const { shapes } = now;
  return { boxes: shapes ? { ...now, shapes: shapes.map((shape) => placeShape(shape, placement)) } : now, frame };
}

function mirrorBoxes({ boxes, ...rest }: PixelBoxes, width: number): PixelBoxes {
  const mirrored = boxes.slice();
  for (let i = 0; i < boxes.length; i += 4) {
    mirrored[i] = width - boxes[i + 2]!;
    mirrored[i + 2] = width - boxes[i]!;
  }
  return { boxes: mirrored, ...rest };
}
