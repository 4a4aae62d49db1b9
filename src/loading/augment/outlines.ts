// The outlines of masks on their way through the changes of an image, so that a turned object has the box of what is seen of it.

import type { Annotation, PixelBoxes } from "../../data/dataset/sample.ts";
import { maskRuns } from "../../instance/masks/maskRuns.ts";
import { changesOf, overColumns } from "../../instance/masks/runs.ts";
import { UserError } from "../../util/errors.ts";
import type { Size } from "./step.ts";

/** Parts of a mask, each points `[x, y, x, y, ...]` around it. */
export type Outline = number[][];

/** A box is that of its mask where none of their sides are further apart than so many pixels. */
const MOST_APART = 2;

/**
 * The outlines of the objects whose box lies around their mask, as boxes of masks do; others keep the box that was annotated. `size`: of the
 * image.
 */
export function outlinesOf({ boxes, annotations = [] }: PixelBoxes, size: Size): Map<Annotation, Outline> {
  const outlines = new Map<Annotation, Outline>();
  for (const [n, annotation] of annotations.entries()) {
    const outline = outlineOf(annotation, size);
    const clipped = outline && clipOutline(outline, size);
    const around = clipped && boundsOf(clipped);
    if (around?.every((side, i) => Math.abs(side - boxes[4 * n + i]!) <= MOST_APART))
      outlines.set(annotation, clipped!);
  }
  return outlines;
}

/** The outline of a mask: its polygons, or the columns of its pixels. One that cannot be used is for others to report. */
function outlineOf({ mask }: Annotation, { width, height }: Size): Outline | undefined {
  if (!mask || "polygons" in mask) return mask?.polygons;
  try {
    const columns: Outline = [];
    overColumns(changesOf(maskRuns(mask, { size: [height, width], where: "" })), height, (x, from, to) => {
      columns.push([x, from, x + 1, from, x + 1, to, x, to]);
    });
    return columns;
  } catch (cause) {
    if (cause instanceof UserError) return undefined;
    throw cause;
  }
}

/** What of an outline lies in [0, width] x [0, height]. */
export function clipOutline(outline: Outline, { width, height }: Size): Outline {
  if (outline.every((part) => part.length >= 6 && isInside(part, width, height))) return outline;
  return outline.map((part) => clipPart(part, width, height)).filter((part) => part.length >= 6);
}

function isInside(part: readonly number[], width: number, height: number): boolean {
  for (let i = 0; i + 1 < part.length; i += 2)
    if (!(part[i]! >= 0 && part[i]! <= width && part[i + 1]! >= 0 && part[i + 1]! <= height)) return false;
  return true;
}

function clipPart(part: number[], width: number, height: number): number[] {
  if (isInside(part, width, height)) return part;
  const sides = [[0, 1, 0], [0, -1, width], [1, 1, 0], [1, -1, height]] as const; // biome-ignore format: one line
  return sides.reduce((left, [axis, sign, limit]) => clipSide(left, axis, sign, limit), part);
}

/** What of a polygon lies where `sign * (coordinate - limit)` is at least 0. */
function clipSide(part: readonly number[], axis: 0 | 1, sign: 1 | -1, limit: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < part.length; i += 2) {
    const next = (i + 2) % part.length;
    const x = part[i]!;
    const y = part[i + 1]!;
    const nx = part[next]!;
    const ny = part[next + 1]!;
    const here = sign * ((axis === 0 ? x : y) - limit);
    const there = sign * ((axis === 0 ? nx : ny) - limit);
    if (here >= 0) out.push(x, y);
    if (here >= 0 === there >= 0) continue;
    const share = here / (here - there);
    out.push(axis === 0 ? limit : x + share * (nx - x), axis === 0 ? y + share * (ny - y) : limit);
  }
  return out;
}

/** The box around the points of an outline; without area where it is empty. */
export function boundsOf(outline: Outline): [number, number, number, number] {
  if (outline.length === 0) return [0, 0, 0, 0];
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const part of outline)
    for (let i = 0; i < part.length; i += 2) {
      x1 = Math.min(x1, part[i]!);
      x2 = Math.max(x2, part[i]!);
      y1 = Math.min(y1, part[i + 1]!);
      y2 = Math.max(y2, part[i + 1]!);
    }
  return [x1, y1, x2, y2];
}
