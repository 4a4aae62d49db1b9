// The pixels of the masks of an image after its changes: drawn at the size of the file, then brought to the batch's by nearest pixels.

import { type Annotation, annotatedMask } from "../../data/dataset/sample.ts";
import type { MaskPixels } from "../../instance/instance.ts";
import { maskRuns, type PolygonRule } from "../../instance/masks/maskRuns.ts";
import { regionOf } from "../../instance/masks/overlap.ts";
import { changesOf, overColumns, type Runs } from "../../instance/masks/runs.ts";
import { placedAgain, placePoints } from "../../instance/placement.ts";
import { firstFrom } from "../../util/arrays/firstFrom.ts";
import { takeBytes } from "../../util/arrays/spareBytes.ts";
import { UserError } from "../../util/errors.ts";
import { placementOf } from "./placements.ts";
import { gridOf, keepsLines, linesOf } from "./places.ts";
import { type Change, type Size, sizeAfter } from "./step.ts";

/** Bytes of the masks of one image: so many objects no model finds. */
const MOST_BYTES = 2 ** 30;

/** Writes 1 into `own`, row-major, for the pixels of a mask. */
type Draw = (mask: Runs, own: Uint8Array) => void;

type Changed = { size: Size; changes: readonly Change[]; side: number };

type Drawing = Changed & { rule?: PolygonRule | undefined; file: string };

/**
 * Masks [n, side, side] of annotations. `size` is the image's before the `changes`, `file` is named in what is thrown. Every change is made
 * to the places that pixels come from, so that nothing of the size of the image is made but a mask's own box. Throws a UserError for a mask
 * that cannot be used.
 */
export function drawMasks(annotations: readonly Annotation[], about: Drawing): MaskPixels {
  const { side, file } = about;
  if (annotations.length * side * side > MOST_BYTES)
    throw new UserError(
      `${file} has ${annotations.length} objects, whose masks of ${side} x ${side} pixels take more than ${MOST_BYTES / 2 ** 30} GB.`,
      { hint: "Cut the image into tiles, or take it out." },
    );
  const pixels = new Uint8Array(annotations.length * side * side);
  const present = drawEach(annotations, about, (n) => pixels.subarray(n * side * side, (n + 1) * side * side));
  return { size: [side, side], pixels, present };
}

/** All of them in one [side, side], which may be given back. Throws as `drawMasks`. */
export function drawTogether(annotations: readonly Annotation[], about: Drawing): Uint8Array {
  const pixels = takeBytes(about.side ** 2).fill(0);
  drawEach(annotations, about, () => pixels);
  return pixels;
}

/** Draw each mask into what `own` has for it; which of the annotations have one. */
function drawEach(
  annotations: readonly Annotation[],
  { rule, file, ...changed }: Drawing,
  own: (n: number) => Uint8Array,
): Uint8Array {
  const { size, changes } = changed;
  const draw = keepsLines(changes) ? lineByLine(changed) : pointByPoint(changed);
  const present = new Uint8Array(annotations.length);
  for (const [n, annotation] of annotations.entries()) {
    const mask = annotatedMask(annotation, rule);
    if (!mask) continue;
    present[n] = 1;
    const where = `${file}, annotation ${annotation.id}`;
    draw(maskRuns(mask, { size: [size.height, size.width], ...(rule && { rule }), where }), own(n));
  }
  return present;
}

function lineByLine({ size, changes, side }: Changed): Draw {
  const { rows, columns, mirrored } = linesOf(size, changes, side);
  const [rowOf, columnOf] = [firstFrom(rows, size.height), firstFrom(columns, size.width)];
  return (mask, own) =>
    overColumns(changesOf(mask), size.height, (x, from, to) => {
      for (let column = columnOf[x]!; column < columnOf[x + 1]!; column++) {
        const place = mirrored ? side - 1 - column : column;
        for (let row = rowOf[from]!; row < rowOf[to]!; row++) own[row * side + place] = 1;
      }
    });
}

function pointByPoint({ size, changes, side }: Changed): Draw {
  const { xs, ys } = gridOf(size, changes, side);
  const frame = changes.reduce((before, change) => sizeAfter(change, before), size);
  const placement = placedAgain(placementOf(changes, size), [side / frame.width, side / frame.height, 0, 0]);
  return (mask, own) => {
    const { changes: inside, box } = regionOf(mask);
    const [left, top, right, bottom] = box;
    const [width, height] = [right - left, bottom - top];
    const pixels = new Uint8Array(width * height);
    overColumns(inside, size.height, (x, from, to) => {
      for (let y = from; y < to; y++) pixels[(y - top) * width + x - left] = 1;
    });
    const corners = placePoints([left, top, right, top, right, bottom, left, bottom], placement);
    const [across, down] = [0, 1].map((axis) => {
      const ends = corners.filter((_, i) => i % 2 === axis);
      return [Math.max(0, Math.floor(Math.min(...ends)) - 1), Math.min(side, Math.ceil(Math.max(...ends)) + 1)] as const; // biome-ignore format: one line
    }) as [readonly [number, number], readonly [number, number]];
    for (let row = down[0]; row < down[1]; row++)
      for (let column = across[0]; column < across[1]; column++) {
        const [x, y] = [xs[row * side + column]! - left, ys[row * side + column]! - top];
        if (x >= 0 && y >= 0 && x < width && y < height && pixels[y * width + x] === 1) own[row * side + column] = 1;
      }
  };
}
