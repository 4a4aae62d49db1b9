// A mask on a picture: half-transparent in its colour, with a solid outline within its edge. Only the pixels of the mask's own box are touched.

import { regionOf } from "../../instance/masks/overlap.ts";
import { overColumns, type Runs } from "../../instance/masks/runs.ts";
import type { Rgb } from "./decode.ts";

/** How much of the colour the inside of a mask has. */
const OPACITY = 0.4;

const [INSIDE, EDGE] = [1, 2];

/** Pixels of a box of the picture, row-major: 0, INSIDE or EDGE. */
type Patch = { left: number; top: number; width: number; height: number; pixels: Uint8Array };

/**
 * Paint a mask over a picture, in place. The mask is of the size of the image that the picture shows, whatever size the
 * picture has; `line`: width of the outline in pixels, which follows the picture's edge where the mask reaches it.
 */
export function paintMask(
  picture: Rgb,
  mask: Runs,
  { colour, line }: { colour: readonly [number, number, number]; line: number },
): void {
  const { left, top, width, height, pixels } = patchOf(mask, picture, line);
  outlineRows({ width, height, pixels }, line);
  const { data } = picture;
  const mixed = colour.map((value) => OPACITY * value);
  for (let y = 0; y < height; y++) {
    let at = 3 * ((top + y) * picture.width + left);
    for (let x = 0; x < width; x++, at += 3) {
      const kind = pixels[y * width + x];
      if (kind === EDGE) data.set(colour, at);
      else if (kind === INSIDE)
        for (let c = 0; c < 3; c++) data[at + c] = Math.round((1 - OPACITY) * data[at + c]! + mixed[c]!);
    }
  }
}

/** The pixels of the picture whose nearest pixel of the mask is inside; the ends of each column's spans are its edge. */
function patchOf(mask: Runs, picture: Pick<Rgb, "width" | "height">, line: number): Patch {
  const [rows, columns] = mask.size;
  const { changes, box } = regionOf(mask);
  const [columnOf, rowOf] = [firstShown(columns, picture.width), firstShown(rows, picture.height)];
  const [left, top] = [columnOf[box[0]]!, rowOf[box[1]]!];
  const [width, height] = [columnOf[box[2]]! - left, rowOf[box[3]]! - top];
  const pixels = new Uint8Array(width * height);
  const column = (x: number, from: number, to: number) => {
    for (let y = from; y < to; y++) pixels[y * width + x] = y < from + line || y >= to - line ? EDGE : INSIDE;
  };
  overColumns(changes, rows, (x, from, to) => {
    const [first, end] = [rowOf[from]! - top, rowOf[to]! - top];
    for (let at = columnOf[x]!; at < columnOf[x + 1]!; at++) column(at - left, first, end);
  });
  return { left, top, width, height, pixels };
}

/** Where the first pixel of a picture's `shown` ones lies that shows the pixel 0, 1, ... `length` of a mask, or a later one. [length + 1]. */
function firstShown(length: number, shown: number): Int32Array {
  return Int32Array.from({ length: length + 1 }, (_, i) => Math.min(Math.ceil((i * shown) / length - 0.5), shown));
}

/** The ends of each row's spans are edge, too. */
function outlineRows({ width, height, pixels }: Pick<Patch, "width" | "height" | "pixels">, line: number): void {
  for (let y = 0; y < height; y++)
    for (let x = 0, row = y * width; x < width; ) {
      if (pixels[row + x] === 0) {
        x++;
        continue;
      }
      const from = x;
      while (x < width && pixels[row + x] !== 0) x++;
      pixels.fill(EDGE, row + from, row + Math.min(from + line, x));
      pixels.fill(EDGE, row + Math.max(x - line, from), row + x);
    }
}
