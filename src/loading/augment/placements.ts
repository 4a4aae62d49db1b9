// Where points come to by a change of their image.

import type { Placement } from "../../instance/instance.ts";
import { placedAgain, UNMOVED } from "../../instance/placement.ts";
import { type Change, type Size, sizeAfter } from "./step.ts";

/** The moves of a change, one after another, of an image that it finds at the size `before`. */
export function placementsOf(
  { resize, cut, warp, transpose, upsideDown, mirror, onto }: Change,
  before: Size,
): Placement[] {
  const scaled = resize ?? before;
  const { left, top } = cut ?? { left: 0, top: 0 };
  const moves: Placement[] = [[scaled.width / before.width, scaled.height / before.height, -left, -top]];
  const now = cut ?? scaled;
  const { width, height } = transpose ? { width: now.height, height: now.width } : now;
  if (warp) moves.push(warp.matrix);
  if (transpose) moves.push([0, 1, 0, 1, 0, 0, 0, 0, 1]);
  if (upsideDown) moves.push([1, -1, 0, height]);
  if (mirror) moves.push([-1, 1, width, 0]);
  if (onto) moves.push([1, 1, onto.left, onto.top]);
  return moves;
}

/** All changes together: where points of the original image are. */
export function placementOf(changes: readonly Change[], size: Size): Placement {
  let [placement, frame]: [Placement, Size] = [UNMOVED, size];
  for (const change of changes) {
    placement = placementsOf(change, frame).reduce(placedAgain, placement);
    frame = sizeAfter(change, frame);
  }
  return placement;
}
