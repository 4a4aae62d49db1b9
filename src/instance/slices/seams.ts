// What two views of a picture say of the same object, where one of them or both may see a piece of it only.

import type { PartArea } from "./layout.ts";

/** `[x1, y1, x2, y2]` in pixels of the picture. */
export type Corners4 = readonly [x1: number, y1: number, x2: number, y2: number];

/** An object as a view has it. `cut`: of each side of its box, whether the edge of the view cuts it there. */
export type Seen = { box: Corners4; area: PartArea; cut: readonly [boolean, boolean, boolean, boolean] };

/** A side this near to the edge of its view, in shares of the view's side, is taken for cut. */
const AT_EDGE = 0.01;

/** Which sides of a box the edge of its view cuts; the edge of the picture cuts none. */
export function cutSides([x1, y1, x2, y2]: Corners4, { left, top, width, height, picture }: PartArea): Seen["cut"] {
  const [nearX, nearY] = [Math.max(1, AT_EDGE * width), Math.max(1, AT_EDGE * height)];
  const [right, bottom] = [left + width, top + height];
  return [
    left > 0 && x1 - left <= nearX,
    top > 0 && y1 - top <= nearY,
    right < picture[1] && right - x2 <= nearX,
    bottom < picture[0] && bottom - y2 <= nearY,
  ];
}

/**
 * How likely two views see one object, from 0 to 1: intersection over union of what of their boxes lies where both views look; or,
 * for a piece that is cut where the other view goes on, how much of it lies in the other's box. Undefined where both say nothing: no pixel
 * is in both views, or both have nothing of the object there.
 */
export function likeness(a: Seen, b: Seen): number | undefined {
  const both = shared(cornersOf(a.area), cornersOf(b.area));
  if (!both) return undefined;
  const [inA, inB] = [shared(a.box, both), shared(b.box, both)];
  if (!inA && !inB) return undefined;
  const common = inA && inB && shared(inA, inB);
  if (!common) return 0;
  const [shareOf, sizeA, sizeB] = [size(common), size(inA), size(inB)];
  const iou = shareOf / (sizeA + sizeB - shareOf);
  return Math.max(iou, goesOn(a, b) ? shareOf / sizeA : 0, goesOn(b, a) ? shareOf / sizeB : 0);
}

/** Whether a piece is cut by an edge of its view behind which the other view goes on. */
function goesOn({ area, cut }: Seen, other: Seen): boolean {
  if (!cut.includes(true)) return false;
  const [mine, its] = [cornersOf(area), cornersOf(other.area)];
  return cut.some((isCut, side) => {
    const low = its[side % 2]!;
    const high = its[(side % 2) + 2]!;
    return isCut && mine[side]! > low && mine[side]! < high;
  });
}

function cornersOf({ left, top, width, height }: PartArea): Corners4 {
  return [left, top, left + width, top + height];
}

function shared(a: Corners4, b: Corners4): Corners4 | undefined {
  const box = [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])] as const;
  return box[2] > box[0] && box[3] > box[1] ? box : undefined;
}

function size([x1, y1, x2, y2]: Corners4): number {
  return (x2 - x1) * (y2 - y1);
}
