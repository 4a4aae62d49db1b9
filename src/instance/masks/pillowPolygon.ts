// The pixels of a polygon by the rule of Pillow's ImageDraw.polygon, which the reference draws YOLO's polygons with: corners on
// whole pixels, what the outline touches is inside.

import { UserError } from "../../util/errors.ts";
import { type Runs, runsFromChanges } from "./runs.ts";

/** So many rows may the edges of one polygon pass in all. */
const MOST_PASSES = 2 ** 22;

type Edge = { top: number; bottom: number; x: number; y: number; slope: number };

/**
 * The runs of a polygon `[x, y, x, y, ...]`, in pixels: fractions of the image that are float32, brought to pixels as float32 and
 * cut at the image's last pixels, as the reference reads them. Throws a UserError that begins with what is wrong.
 */
export function pillowPolygonRuns(polygon: readonly number[], [height, width]: Runs["size"]): Runs {
  const corners: [x: number, y: number][] = [];
  for (let i = 0; i + 1 < polygon.length; i += 2)
    corners.push([onPixel(polygon[i]!, width), onPixel(polygon[i + 1]!, height)]);
  if (corners.length === 0) return runsFromChanges([], [height, width]);
  const [first, last] = [corners[0]!, corners.at(-1)!];
  if (first[0] !== last[0] || first[1] !== last[1]) corners.push(first);
  const { fill, runs } = canvas(corners, [height, width]);
  const edges: Edge[] = [];
  let passes = 0;
  for (let i = 0; i + 1 < corners.length; i++) {
    const [[x1, y1], [x2, y2]] = [corners[i]!, corners[i + 1]!];
    if (y1 === y2) fill(Math.min(x1, x2), y1, Math.max(x1, x2));
    else {
      const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
      passes += bottom - top + 1;
      if (passes > MOST_PASSES) throw new UserError(`passes the rows of its image more than ${MOST_PASSES} times`);
      edges.push({ top, bottom, x: x1, y: y1, slope: Math.fround((x2 - x1) / (y2 - y1)) });
    }
  }
  const end = edges.reduce((so, { bottom }) => Math.max(so, bottom), 0);
  for (const [y, active] of byRow(edges)) {
    const crossings = crossingsOf(active, y, end);
    for (let i = 1; i < crossings.length; i += 2) fill(roundUp(crossings[i - 1]!), y, roundDown(crossings[i]!));
  }
  return runs();
}

/** The part of the image that a polygon is in. Joined edges may reach a pixel further than its corners. */
function canvas(corners: readonly [x: number, y: number][], [height, width]: Runs["size"]) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (const [x, y] of corners) {
    [left, top] = [Math.min(left, x - 1), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y)];
  }
  [left, right] = [Math.max(left, 0), Math.min(right, width - 1)];
  const across = right - left + 1;
  const pixels = new Uint8Array(across * (bottom - top + 1));
  const fill = (from: number, y: number, to: number) => {
    const [first, last] = [Math.max(from, left), Math.min(to, right)];
    const row = (y - top) * across - left;
    if (first <= last) pixels.fill(1, row + first, row + last + 1);
  };
  const runs = (): Runs => {
    const changes: number[] = [];
    for (let x = 0; x < across; x++) {
      const column = (left + x) * height;
      let inside = 0;
      for (let y = top; y <= bottom; y++) {
        const now = pixels[(y - top) * across + x]!;
        if (now !== inside) changes.push(column + y);
        inside = now;
      }
      if (inside) changes.push(column + bottom + 1); // where the next column begins inside, both changes cancel
    }
    return runsFromChanges(changes, [height, width]);
  };
  return { fill, runs };
}

/** The fraction of the image is what the file had; rounding it to float32 gives the reference's. */
function onPixel(value: number, side: number): number {
  const pixel = Math.fround(Math.fround(value / side) * side);
  return Math.trunc(Math.min(Math.max(pixel, 0), side - 1));
}

/** The edges that are on each row, in their order. */
function byRow(edges: readonly Edge[]): Map<number, Edge[]> {
  const rows = new Map<number, Edge[]>();
  for (const edge of edges)
    for (let y = edge.top; y <= edge.bottom; y++) {
      const row = rows.get(y);
      if (row) row.push(edge);
      else rows.set(y, [edge]);
    }
  return rows;
}

function crossing({ x, y, slope }: Edge, row: number): number {
  return Math.fround(Math.fround((row - y) * slope) + x);
}

/** Where the edges cross a row, in rising order; `end` is the polygon's last row. */
function crossingsOf(edges: readonly Edge[], y: number, end: number): Float32Array {
  const found: number[] = [];
  // The first edges that begin and that end on this row, by rounded x, which is where a later one joins them.
  const [tops, bottoms] = [new Map<number, Edge>(), new Map<number, Edge>()];
  for (const edge of edges) {
    const at = crossing(edge, y);
    found.push(at);
    if (y === edge.bottom && y < end) found.push(at);
    if ((y !== edge.top && y !== edge.bottom) || edge.slope === 0) continue;
    const key = roundHalfAway(at);
    const meeting = y === edge.bottom ? bottoms : tops;
    const other = meeting.get(key);
    if (!other) meeting.set(key, edge);
    else if (y !== edge.bottom || y === end) {
      const inside = y + (y === edge.bottom ? -1 : 1);
      const [a, b] = [crossing(edge, inside), crossing(other, inside)];
      if (at > a + 1 && at > b + 1) found[found.length - 1] = roundHalfAway(Math.max(a, b)) + 1;
      else if (at < a - 1 && at < b - 1) found[found.length - 1] = roundHalfAway(Math.min(a, b)) - 1;
    }
  }
  return Float32Array.from(found).sort();
}

function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
}

function roundUp(value: number): number {
  return value >= 0 ? Math.floor(value + 0.5) : -Math.floor(Math.abs(value) + 0.5);
}

function roundDown(value: number): number {
  return value >= 0 ? Math.ceil(value - 0.5) : -Math.ceil(Math.abs(value) - 0.5);
}
