// Where the pixels of a changed image come from in its file, for masks: the nearest pixel.

import { followed, inverse, type Matrix, scaling } from "../../instance/matrix.ts";
import { asMatrix } from "../../instance/placement.ts";
import { placementsOf } from "./placements.ts";
import { type Change, type Size, sizeAfter } from "./step.ts";

/** Where each row and column comes from; mirroring is left to the end, after the last resize, where the reference does it. */
type Lines = { rows: Int32Array; columns: Int32Array; mirrored: boolean };

/** Whether rows stay rows and columns columns, in their order or mirrored, after no more than the one resize of the reference's pipeline. */
export function keepsLines(changes: readonly Change[]): boolean {
  const isLined = !changes.some(({ warp, transpose, upsideDown, onto }) => warp || transpose || upsideDown || onto);
  return isLined && changes.filter(({ resize, cut }) => resize || cut).length <= 1;
}

/** Lines of an image of `side` x `side`, by changes that keep lines: the nearest at every change, as the reference has it. */
export function linesOf({ width, height }: Size, changes: readonly Change[], side: number): Lines {
  let [rows, columns] = [counted(height), counted(width)];
  let mirrored = false;
  for (const { resize, cut, mirror } of changes) {
    if (resize) [rows, columns] = [nearest(rows, resize.height), nearest(columns, resize.width)];
    if (cut) {
      const left = mirrored ? columns.length - cut.left - cut.width : cut.left;
      [rows, columns] = [rows.slice(cut.top, cut.top + cut.height), columns.slice(left, left + cut.width)];
    }
    if (mirror) mirrored = !mirrored;
  }
  return { rows: nearest(rows, side), columns: nearest(columns, side), mirrored };
}

/** The nearest of some places for each of `length` ones, as torch has them: with a scale of float32. */
function nearest(places: Int32Array, length: number): Int32Array {
  const scale = Math.fround(places.length / length);
  const out = new Int32Array(length);
  for (let i = 0; i < length; i++) out[i] = places[Math.min(Math.floor(Math.fround(i * scale)), places.length - 1)]!;
  return out;
}

function counted(length: number): Int32Array {
  const places = new Int32Array(length);
  for (let i = 0; i < length; i++) places[i] = i;
  return places;
}

/** A way back from points to those before, which have to be within a frame of this size. */
type WayBack = { matrix: Matrix; within: Size };

/**
 * Where each pixel of an image of `side` x `side` comes from, row-major: column and row in the file, -1 where it comes from nowhere. The middle
 * of a pixel is followed back through all changes at once, but no way leads through what lay outside of the frame when it was warped or put on a canvas.
 */
export function gridOf(size: Size, changes: readonly Change[], side: number): { xs: Int32Array; ys: Int32Array } {
  const ways = waysBack(size, changes, side);
  const [xs, ys] = [new Int32Array(side * side).fill(-1), new Int32Array(side * side).fill(-1)];
  for (let row = 0, to = 0; row < side; row++)
    for (let column = 0; column < side; column++, to++) {
      let [x, y] = [column + 0.5, row + 0.5];
      let isInside = true;
      for (const { matrix, within } of ways) {
        const w = matrix[6] * x + matrix[7] * y + matrix[8];
        const was = (matrix[0] * x + matrix[1] * y + matrix[2]) / w;
        y = (matrix[3] * x + matrix[4] * y + matrix[5]) / w;
        x = was;
        isInside &&= x >= 0 && y >= 0 && x < within.width && y < within.height;
      }
      if (!isInside) continue;
      xs[to] = x;
      ys[to] = y;
    }
  return { xs, ys };
}

/** From the square back to the file, in as many parts as there are such changes, and one more. */
function waysBack(size: Size, changes: readonly Change[], side: number): WayBack[] {
  const frames = [size];
  for (const change of changes) frames.push(sizeAfter(change, frames.at(-1)!));
  const last = frames.at(-1)!;
  const ways: WayBack[] = [];
  let matrix = scaling([last.width / side, last.height / side, 0, 0]);
  for (const [i, change] of [...changes.entries()].reverse()) {
    const before = frames[i]!;
    for (const [last, move] of placementsOf(change, before).reverse().entries()) {
      matrix = followed(matrix, inverse(asMatrix(move)));
      if (move !== change.warp?.matrix && !(change.onto && last === 0)) continue;
      ways.push({ matrix, within: change.cut ?? change.resize ?? before });
      matrix = scaling([1, 1, 0, 0]);
    }
  }
  return [...ways, { matrix, within: size }];
}
