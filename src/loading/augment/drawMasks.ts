// The pixels of the masks of an image after its changes: drawn at the size of the file, then brought to the batch's by nearest pixels.

import { type Annotation, annotatedMask } from "../../data/dataset/sample.ts";
import type { MaskPixels } from "../../instance/instance.ts";
import { maskRuns, type PolygonRule } from "../../instance/masks/maskRuns.ts";
import { changesOf, overColumns } from "../../instance/masks/runs.ts";
import { firstFrom } from "../../util/arrays/firstFrom.ts";
import { UserError } from "../../util/errors.ts";
import type { Change, Size } from "./step.ts";

/** Bytes of the masks of one image: so many objects no model finds. */
const MOST_BYTES = 2 ** 30;

/**
 * Masks [n, side, side] of annotations. `size` is the image's before the `changes`, `file` is named in what is thrown. Every change is made
 * to the places that rows and columns come from, so that nothing of the size of the image is made. Throws a UserError for a mask
 * that cannot be used.
 */
export function drawMasks(
  annotations: readonly Annotation[],
  { size, changes, side, rule, file }: { size: Size; changes: readonly Change[]; side: number; rule?: PolygonRule | undefined; file: string }, // biome-ignore format: one line
): MaskPixels {
  const { rows, columns, mirrored } = sources(size, changes, side);
  const [rowOf, columnOf] = [firstFrom(rows, size.height), firstFrom(columns, size.width)];
  if (annotations.length * side * side > MOST_BYTES)
    throw new UserError(
      `${file} has ${annotations.length} objects, whose masks of ${side} x ${side} pixels take more than ${MOST_BYTES / 2 ** 30} GB.`,
      { hint: "Cut the image into tiles, or take it out." },
    );
  const pixels = new Uint8Array(annotations.length * side * side);
  const present = new Uint8Array(annotations.length);
  for (const [n, annotation] of annotations.entries()) {
    const mask = annotatedMask(annotation, rule);
    if (!mask) continue;
    present[n] = 1;
    const where = `${file}, annotation ${annotation.id}`;
    const changed = changesOf(maskRuns(mask, { size: [size.height, size.width], ...(rule && { rule }), where }));
    const own = pixels.subarray(n * side * side, (n + 1) * side * side);
    overColumns(changed, size.height, (x, from, to) => {
      for (let column = columnOf[x]!; column < columnOf[x + 1]!; column++) {
        const place = mirrored ? side - 1 - column : column;
        for (let row = rowOf[from]!; row < rowOf[to]!; row++) own[row * side + place] = 1;
      }
    });
  }
  return { size: [side, side], pixels, present };
}

/** Where each row and column comes from; mirroring is left to the end, after the last resize, where the reference does it. */
function sources(
  { width, height }: Size,
  changes: readonly Change[],
  side: number,
): { rows: Int32Array; columns: Int32Array; mirrored: boolean } {
  let [rows, columns] = [height, width].map((length) => Int32Array.from({ length }, (_, i) => i)) as [
    Int32Array,
    Int32Array,
  ];
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
  return Int32Array.from(
    { length },
    (_, i) => places[Math.min(Math.floor(Math.fround(i * scale)), places.length - 1)]!,
  );
}
