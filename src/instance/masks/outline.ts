// The outline of a mask with few corners, to be drawn small.

import { outerContour } from "./contour.ts";
import type { Runs } from "./runs.ts";

/**
 * Corners of the outline of a mask's largest part as `[x, y, x, y, ...]` in whole pixels, at most `most` numbers: none lies further than
 * `tolerance` pixels from what the outline was, or more where that takes too many. Empty for an empty mask.
 */
export function maskOutline(mask: Runs, { most, tolerance }: { most: number; tolerance: number }): number[] {
  const contour = outerContour(mask);
  if (!contour) return [];
  let corners = contour;
  for (let allowed = tolerance; ; allowed *= 2) {
    corners = simplified(contour, allowed);
    if (corners.length <= most) return corners;
  }
}

/** Douglas and Peucker's way for a closed line: corners that lie near enough to the line between kept ones go. */
function simplified(points: readonly number[], tolerance: number): number[] {
  const count = points.length / 2;
  const kept = new Uint8Array(count);
  const far = farthest(points, 0, count);
  kept[0] = 1;
  if (far.place > 0) kept[far.place] = 1;
  const open = [
    [0, far.place],
    [far.place, count],
  ];
  for (let span = open.pop(); span; span = open.pop()) {
    const { place, distance } = farthest(points, span[0]!, span[1]!);
    if (place < 0 || distance <= tolerance) continue;
    kept[place] = 1;
    open.push([span[0]!, place], [place, span[1]!]);
  }
  return points.filter((_, i) => kept[i >> 1] === 1);
}

/** The point between two places that lies furthest from the line between them, or from the one point where they are the same. */
function farthest(points: readonly number[], from: number, to: number): { place: number; distance: number } {
  const at = (i: number) =>
    [points[2 * (i % (points.length / 2))]!, points[2 * (i % (points.length / 2)) + 1]!] as const;
  const [[x1, y1], [x2, y2]] = [at(from), at(to)];
  const length = Math.hypot(x2 - x1, y2 - y1);
  let [place, distance] = [-1, -1];
  for (let i = from + 1; i < to; i++) {
    const [x, y] = at(i);
    const off =
      length === 0 ? Math.hypot(x - x1, y - y1) : Math.abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length;
    if (off > distance) [place, distance] = [i, off];
  }
  return { place, distance };
}
