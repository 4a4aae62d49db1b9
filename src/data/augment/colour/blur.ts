// Blurs of squares and of bells, and the sharpening that is their opposite.

import type { Rgb } from "../../image/decode.ts";
import { reflected } from "./reflect.ts";

/** The mean of the square of this (odd) side around each pixel. */
export function boxBlur(image: Rgb, side: number): Rgb {
  return boxFilter(image, side, { own: 0, sum: 1 / side ** 2 });
}

/** `alpha` of a picture with its edges drawn (a Laplacian of 3 x 3, `lightness` added to its middle), the rest as it was. */
export function sharpen(image: Rgb, { alpha, lightness }: { alpha: number; lightness: number }): Rgb {
  return boxFilter(image, 3, { own: 1 + alpha * (8 + lightness), sum: -alpha });
}

/** Each byte times `own`, and the sum of the square around it times `sum`; the sums are kept while the square moves. */
function boxFilter(
  { data, width, height }: Rgb,
  side: number,
  { own, sum: weight }: { own: number; sum: number },
): Rgb {
  const radius = side >> 1;
  const [columns, rows] = [reflected(width, radius), reflected(height, radius)];
  const sums = new Int32Array(3 * width);
  const addRow = (place: number, sign: number) => {
    const from = 3 * width * rows[place]!;
    for (let i = 0; i < sums.length; i++) sums[i]! += sign * data[from + i]!;
  };
  for (let place = 0; place < side; place++) addRow(place, 1);
  const out = new Uint8ClampedArray(data.length); // it rounds as OpenCV does
  for (let y = 0; y < height; y++) {
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let place = 0; place < side; place++) sum += sums[3 * columns[place]! + c]!;
      for (let x = 0, at = 3 * width * y + c; x < width; x++, at += 3) {
        out[at] = own * data[at]! + weight * sum;
        if (x < width - 1) sum += sums[3 * columns[x + side]! + c]! - sums[3 * columns[x]! + c]!;
      }
    }
    if (y === height - 1) break;
    addRow(y + side, 1);
    addRow(y, -1);
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

/** A bell of `side` pixels, or of as many as sigma needs where that is 0; an even side becomes the next odd one. */
export function gaussianBlur(image: Rgb, { sigma, side }: { sigma: number; side: number }): Rgb {
  const weights = bell(sigma, side === 0 ? 2 * Math.trunc(3.5 * sigma) + 1 : side + (side % 2 === 0 ? 1 : 0));
  return weights.length === 1 ? image : symmetricFilter(image, weights);
}

/** Bits of a weight: two of them and a byte fit into 32. */
const BITS = 11;

/** Weights from the middle outwards, whole numbers whose sum over both sides is a power of two, so that no picture gets darker. */
function bell(sigma: number, side: number): number[] {
  if (sigma <= 0) return [1];
  const heights = Array.from({ length: (side >> 1) + 1 }, (_, x) => Math.exp(-0.5 * (x / sigma) ** 2));
  const total = heights.reduce((sum, height, x) => sum + (x === 0 ? height : 2 * height), 0);
  const [, ...outer] = heights.map((height) => Math.round((2 ** BITS * height) / total)).filter((weight) => weight > 0);
  return [2 ** BITS - 2 * outer.reduce((sum, weight) => sum + weight, 0), ...outer];
}

/** Down, then across, whole numbers all the way. */
function symmetricFilter({ data, width, height }: Rgb, weights: readonly number[]): Rgb {
  const radius = weights.length - 1;
  const [columns, rows] = [reflected(width, radius), reflected(height, radius)];
  const row = 3 * width;
  const wide = new Int32Array(row + 6 * radius);
  const inner = wide.subarray(3 * radius, 3 * radius + row);
  const sums = new Int32Array(row);
  const out = new Uint8ClampedArray(data.length);
  for (let y = 0; y < height; y++) {
    weighted(inner, data, weights, (k) => [row * rows[y + radius - k]!, row * rows[y + radius + k]!]);
    for (let place = 0; place < radius; place++)
      for (let c = 0; c < 3; c++) {
        wide[3 * place + c] = inner[3 * columns[place]! + c]!;
        wide[3 * (radius + width + place) + c] = inner[3 * columns[radius + width + place]! + c]!;
      }
    weighted(sums, wide, weights, (k) => [3 * (radius - k), 3 * (radius + k)]);
    for (let i = 0, at = row * y; i < row; i++, at++) out[at] = (sums[i]! + 2 ** (2 * BITS - 1)) >> (2 * BITS);
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

/** Sums over pairs of places on both sides. */
function weighted(
  out: Int32Array,
  from: Uint8Array | Int32Array,
  weights: readonly number[],
  pair: (k: number) => [number, number],
): void {
  const [middle] = pair(0);
  for (let i = 0; i < out.length; i++) out[i] = weights[0]! * from[middle + i]!;
  for (let k = 1; k < weights.length; k++) {
    const weight = weights[k]!;
    const [one, other] = pair(k);
    for (let i = 0; i < out.length; i++) out[i]! += weight * (from[one + i]! + from[other + i]!);
  }
}
