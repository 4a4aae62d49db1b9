// How much two masks have in common, from their runs.

import { changesOf, overColumns, type Runs, runsArea } from "./runs.ts";

/** A mask ready to be compared: where its pixels change, how many are inside, and the columns and rows that these are in. */
export type Region = {
  changes: Uint32Array;
  area: number;
  /** First column and row, and those behind the last. All 0 for an empty one. */
  box: readonly [left: number, top: number, right: number, bottom: number];
};

export function regionOf(runs: Runs): Region {
  const height = runs.size[0];
  const changes = changesOf(runs);
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  for (let i = 0; i < changes.length; i += 2) {
    const [from, to] = [changes[i]!, changes[i + 1]!];
    if (from === to) continue;
    const [x1, x2] = [Math.floor(from / height), Math.floor((to - 1) / height)];
    left = Math.min(left, x1);
    right = x2 + 1;
    top = x1 === x2 ? Math.min(top, from - x1 * height) : 0;
    bottom = x1 === x2 ? Math.max(bottom, to - x2 * height) : height;
  }
  return { changes, area: runsArea(runs), box: right === 0 ? [0, 0, 0, 0] : [left, top, right, bottom] };
}

/** The pixels of a region's box with one of frame on each side, row-major, `width` of them in a row: 1 inside. `rows`: of its image. */
export function framedPixels(
  { changes, box: [left, top, right, bottom] }: Region,
  rows: number,
): { pixels: Uint8Array; width: number } {
  const width = right - left + 2;
  const pixels = new Uint8Array(width * (bottom - top + 2));
  overColumns(changes, rows, (x, from, to) => {
    for (let y = from; y < to; y++) pixels[(y - top + 1) * width + x - left + 1] = 1;
  });
  return { pixels, width };
}

/** Pixels that two masks of one size share. */
function sharedPixels(a: Region, b: Region): number {
  if (a.box[0] >= b.box[2] || b.box[0] >= a.box[2] || a.box[1] >= b.box[3] || b.box[1] >= a.box[3]) return 0;
  const [first, second] = [a.changes, b.changes];
  let [i, j, shared] = [spanBehind(first, second[0]!), spanBehind(second, first[0]!), 0];
  while (i < first.length && j < second.length) {
    const [endA, endB] = [first[i + 1]!, second[j + 1]!];
    const both = Math.min(endA, endB) - Math.max(first[i]!, second[j]!);
    if (both > 0) shared += both;
    if (endA < endB) i += 2;
    else j += 2;
  }
  return shared;
}

/** The first span of a mask that ends behind a place. */
function spanBehind(changes: Uint32Array, place: number): number {
  let [low, high] = [0, changes.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (changes[2 * middle + 1]! <= place) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

/** Intersection over union; with a crowd as `truth`: the part of `found` that lies in it. 0 for empty masks. */
export function regionIou(found: Region, truth: Region, { crowd = false }: { crowd?: boolean } = {}): number {
  const shared = sharedPixels(found, truth);
  return shared === 0 ? 0 : shared / (crowd ? found.area : found.area + truth.area - shared);
}
