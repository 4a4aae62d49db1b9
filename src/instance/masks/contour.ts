// The outline of a mask as one polygon, for files that have no room for more: that of its largest part, holes filled.

import { framedPixels, regionOf } from "./overlap.ts";
import { changesOf, overColumns, type Runs, runsFromChanges } from "./runs.ts";

/** Neighbours of a pixel, clockwise from the right one. */
// biome-ignore format: one line
const AROUND = [[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]] as const;

/**
 * The pixels on the outer edge of the largest part of a mask, clockwise from the upper end of its first column, as
 * `[x, y, x, y, ...]`: columns and rows, of which those on a straight line are left out. Parts that touch at a corner are one. A drawing that counts the pixels of a
 * polygon's edge as inside, such as OpenCV's and Pillow's, makes the part of it again. Null: the mask is empty.
 */
export function outerContour(mask: Runs): number[] | null {
  const part = largestPart(mask);
  if (!part) return null;
  const region = regionOf(part);
  const [left, top] = region.box;
  const rows = part.size[0];
  const { pixels, width } = framedPixels(region, rows);
  const start: [number, number] = [left, region.changes[0]! % rows];
  return trace(start, (x, y) => pixels[(y - top + 1) * width + x - left + 1] === 1);
}

/** Moore's tracing: from each pixel of the edge, the next one clockwise from where the last one was. */
function trace(start: readonly [number, number], inside: (x: number, y: number) => boolean): number[] {
  const next = (x: number, y: number, from: number) => {
    for (let turn = 0; turn < 8; turn++) {
      const to = (from + turn) % 8;
      if (inside(x + AROUND[to]![0], y + AROUND[to]![1])) return to;
    }
    return undefined;
  };
  const corners: number[] = [];
  // Nothing is left of the first pixel nor above it: the search begins behind its upper left.
  const first = next(...start, 6);
  if (first === undefined) return [...start];
  let [x, y] = start;
  let [direction, last] = [first, -1];
  do {
    if (direction !== last) corners.push(x, y);
    last = direction;
    x += AROUND[direction]![0];
    y += AROUND[direction]![1];
    direction = next(x, y, (direction + 6) % 8)!; // what lies before that is known to be outside
  } while (x !== start[0] || y !== start[1] || direction !== first);
  return corners;
}

/** The part of a mask with the most pixels, the first among equals. Pixels that touch at a side or a corner are of one part. */
function largestPart(mask: Runs): Runs | null {
  const rows = mask.size[0];
  const spans = columnSpans(changesOf(mask), rows);
  if (spans.length === 0) return null;
  const parent = Int32Array.from(spans, (_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  };
  // Spans of a column and those of the one before it, both from above.
  let before = 0;
  for (const [i, { x, from, to }] of spans.entries()) {
    while (spans[before]!.x < x - 1 || (spans[before]!.x === x - 1 && spans[before]!.to < from)) before++;
    for (let j = before; spans[j]!.x === x - 1 && spans[j]!.from <= to; j++) {
      const [a, b] = [root(i), root(j)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
  }
  const areas = new Float64Array(spans.length);
  for (const [i, { from, to }] of spans.entries()) areas[root(i)]! += to - from;
  const most = areas.reduce((best, area, i) => (area > areas[best]! ? i : best), 0);
  const kept = spans.filter((_, i) => root(i) === most);
  return runsFromChanges(
    kept.flatMap(({ x, from, to }) => [x * rows + from, x * rows + to]),
    mask.size,
  );
}

/** Spans inside, cut where a column ends. `to` is the first row behind. */
function columnSpans(changes: Uint32Array, rows: number): { x: number; from: number; to: number }[] {
  const spans: { x: number; from: number; to: number }[] = [];
  overColumns(changes, rows, (x, from, to) => spans.push({ x, from, to }));
  return spans;
}
