// Pixels moved: warped by a matrix, or mirrored and turned as they are.

import type { Rgb } from "../../../data/image/decode.ts";
import { imageAddon } from "../../../data/image/pillow/addon.ts";
import { inverse, type Matrix } from "../../../instance/matrix.ts";
import { giveBytes, takeBytes } from "../../../util/arrays/spareBytes.ts";
import type { Colour, Warp } from "../step.ts";

/** Bits of the weights of neighbours. */
const BITS = 8;
const ONE = 1 << BITS;
const HALF = 1 << (2 * BITS - 1);

/**
 * The image with each point where the matrix puts it: bilinear between the middles of pixels, with the colour of `fill` around the image. A
 * pixel whose row and column are i, j is the square from j, i to j + 1, i + 1.
 */
export function warpPixels(image: Rgb, { matrix, fill }: Warp): Rgb {
  const back = inverse(matrix);
  const out = takeBytes(image.data.length);
  const done = imageAddon()?.warp?.(image.data, out, image.width, Float64Array.from(back), Uint8Array.from(fill));
  if (done) return { ...image, data: out };
  giveBytes(out);
  return warpInScript(image, back, fill);
}

/** The same here, where our addon is missing. `back`: from pixels to where they come from. */
export function warpInScript({ data, width, height }: Rgb, back: Matrix, fill: Colour): Rgb {
  const out = filled(width * height, fill);
  const [a, b, c, d, e, f, g, h, i] = back;
  const stride = 3 * width;
  const isAffine = g === 0 && h === 0;
  for (let y = 0; y < height; y++) {
    const [bx, by, bw] = [b * (y + 0.5) + c, e * (y + 0.5) + f, h * (y + 0.5) + i];
    const [first, end] = isAffine ? span(width, [a / i, bx / i, width], [d / i, by / i, height]) : [0, width];
    for (let x = first, to = 3 * (y * width + first); x < end; x++, to += 3) {
      const w = g * (x + 0.5) + bw;
      const fx = (a * (x + 0.5) + bx) / w - 0.5;
      const fy = (d * (x + 0.5) + by) / w - 0.5;
      if (!(fx > -1 && fy > -1 && fx < width && fy < height)) continue;
      const left = Math.floor(fx);
      const top = Math.floor(fy);
      const right = ((fx - left) * ONE + 0.5) | 0;
      const below = ((fy - top) * ONE + 0.5) | 0;
      if (left < 0 || top < 0 || left >= width - 1 || top >= height - 1) {
        edge(out, to, { data, width, height }, [left, top, right, below], fill);
        continue;
      }
      const w11 = right * below;
      const w01 = (right << BITS) - w11;
      const w10 = (below << BITS) - w11;
      const w00 = (1 << (2 * BITS)) - w11 - w01 - w10;
      const at = top * stride + 3 * left;
      const under = at + stride;
      out[to] = (w00 * data[at]! + w01 * data[at + 3]! + w10 * data[under]! + w11 * data[under + 3]! + HALF) >> 16;
      out[to + 1] =
        (w00 * data[at + 1]! + w01 * data[at + 4]! + w10 * data[under + 1]! + w11 * data[under + 4]! + HALF) >> 16;
      out[to + 2] =
        (w00 * data[at + 2]! + w01 * data[at + 5]! + w10 * data[under + 2]! + w11 * data[under + 5]! + HALF) >> 16;
    }
  }
  return { data: out, width, height };
}

/** An axis of where the pixels of a row come from: at `factor * (x + 0.5) + shift`, within `-0.5` to `length + 0.5`. */
type Axis = readonly [factor: number, shift: number, length: number];

/** The columns of a row that come from the image or its edge, a pixel more at both ends. */
function span(width: number, ...both: Axis[]): [first: number, end: number] {
  let [first, end] = [0, width];
  for (const [factor, shift, length] of both) {
    if (factor === 0) {
      if (shift < -1 || shift > length + 1) return [0, 0];
      continue;
    }
    const ends = [(-1 - shift) / factor, (length + 1 - shift) / factor];
    first = Math.max(first, Math.floor(Math.min(...ends)) - 1);
    end = Math.min(end, Math.ceil(Math.max(...ends)) + 1);
  }
  return [first, Math.max(first, end)];
}

/** A pixel at the edge, some of whose neighbours are outside. */
function edge(
  out: Uint8Array,
  to: number,
  { data, width, height }: Rgb,
  [left, top, right, below]: readonly [number, number, number, number],
  fill: Colour,
): void {
  for (let channel = 0; channel < 3; channel++) {
    let sum = HALF;
    for (let k = 0; k < 4; k++) {
      const [x, y] = [left + (k & 1), top + (k >> 1)];
      const weight = (k & 1 ? right : ONE - right) * (k >> 1 ? below : ONE - below);
      const inside = x >= 0 && y >= 0 && x < width && y < height;
      sum += weight * (inside ? data[3 * (y * width + x) + channel]! : fill[channel]!);
    }
    out[to + channel] = sum >> 16;
  }
}

function filled(pixels: number, [red, green, blue]: Colour): Uint8Array {
  const data = new Uint8Array(3 * pixels);
  if (red === green && green === blue) return red === 0 ? data : data.fill(red);
  for (let at = 0; at < data.length; at += 3) {
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
  }
  return data;
}

/** Left and right swapped. */
export function mirrorPixels({ data, width, height }: Rgb): Rgb {
  const out = takeBytes(data.length);
  for (let y = 0, to = 0; y < height; y++)
    for (let x = width - 1; x >= 0; x--, to += 3) {
      const at = 3 * (y * width + x);
      out[to] = data[at]!;
      out[to + 1] = data[at + 1]!;
      out[to + 2] = data[at + 2]!;
    }
  return { data: out, width, height };
}

/** Top and bottom swapped. */
export function turnUpsideDown({ data, width, height }: Rgb): Rgb {
  const stride = 3 * width;
  const spare = data.length; // room for a row behind the last one
  const out = takeBytes(spare + stride);
  out.set(data);
  for (let top = 0, bottom = spare - stride; top < bottom; top += stride, bottom -= stride) {
    out.copyWithin(spare, top, top + stride); // a view of each row would leave much to collect
    out.copyWithin(top, bottom, bottom + stride);
    out.copyWithin(bottom, spare);
  }
  return { data: out.subarray(0, spare), width, height };
}

/** Rows and columns swapped. */
export function transposePixels({ data, width, height }: Rgb): Rgb {
  const out = takeBytes(data.length);
  for (let x = 0, to = 0; x < width; x++)
    for (let y = 0; y < height; y++, to += 3) {
      const at = 3 * (y * width + x);
      out[to] = data[at]!;
      out[to + 1] = data[at + 1]!;
      out[to + 2] = data[at + 2]!;
    }
  return { data: out, width: height, height: width };
}

/** A matrix for the mirrored image of this width. */
export function fromMirrored([a, b, c, d, e, f, g, h, i]: Matrix, width: number): Matrix {
  return [-a, b, a * width + c, -d, e, d * width + f, -g, h, g * width + i];
}
