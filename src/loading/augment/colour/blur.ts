// Blurs of squares and of bells, and the sharpening that is their opposite.

import type { Rgb } from "../../../data/image/decode.ts";
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
  const rows = reflected(height, radius);
  const { wide, inner: sums, reflect } = wideRow(width, radius);
  const addRow = (place: number, sign: number) => {
    const from = 3 * width * rows[place]!;
    for (let i = 0; i < sums.length; i++) sums[i]! += sign * data[from + i]!;
  };
  for (let place = 0; place < side; place++) addRow(place, 1);
  const out = new Uint8ClampedArray(data.length); // it rounds as OpenCV does
  for (let y = 0; y < height; y++) {
    reflect();
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let place = 0; place < side - 1; place++) sum += wide[3 * place + c]!;
      let at = 3 * width * y + c;
      for (let leave = c, enter = 3 * (side - 1) + c; enter < wide.length; leave += 3, enter += 3, at += 3) {
        sum += wide[enter]!;
        out[at] = own * data[at]! + weight * sum;
        sum -= wide[leave]!;
      }
    }
    if (y === height - 1) break;
    addRow(y + side, 1);
    addRow(y, -1);
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

/** Memory for a row of pixels and `radius` more on both sides, which `reflect` fills from the row. */
function wideRow(width: number, radius: number): { wide: Int32Array; inner: Int32Array; reflect(): void } {
  const columns = reflected(width, radius);
  const wide = new Int32Array(3 * columns.length);
  const inner = wide.subarray(3 * radius, 3 * (radius + width));
  const fill = (place: number) => {
    for (let c = 0; c < 3; c++) wide[3 * place + c] = inner[3 * columns[place]! + c]!;
  };
  const reflect = () => {
    for (let place = 0; place < radius; place++) {
      fill(place);
      fill(radius + width + place);
    }
  };
  return { wide, inner, reflect };
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

/** Across, then down, whole numbers all the way; rows that are across are kept as long as they are needed. */
function symmetricFilter({ data, width, height }: Rgb, weights: readonly number[]): Rgb {
  const radius = weights.length - 1;
  const rows = reflected(height, radius);
  const row = 3 * width;
  const { wide, inner, reflect } = wideRow(width, radius);
  const across = Array.from({ length: 2 * radius + 1 }, () => new Int32Array(row));
  const keptRow = (y: number) => across[y % across.length]!;
  const sums = new Int32Array(row);
  const out = new Uint8ClampedArray(data.length);
  for (let y = -radius; y < height; y++) {
    const next = y + radius;
    if (next < height) {
      inner.set(data.subarray(row * next, row * (next + 1)));
      reflect();
      weigh(keptRow(next), wide, wide, { weight: weights[0]!, one: 3 * radius, other: -1 });
      for (let k = 1; k <= radius; k++)
        weigh(keptRow(next), wide, wide, { weight: weights[k]!, one: 3 * (radius - k), other: 3 * (radius + k) });
    }
    if (y < 0) continue;
    weigh(sums, keptRow(y), keptRow(y), { weight: weights[0]!, one: 0, other: -1 });
    for (let k = 1; k <= radius; k++) {
      const [above, below] = [keptRow(rows[y + radius - k]!), keptRow(rows[y + radius + k]!)];
      weigh(sums, above, below, { weight: weights[k]!, one: 0, other: 0 });
    }
    for (let i = 0, at = row * y; i < row; i++, at++) out[at] = (sums[i]! + 2 ** (2 * BITS - 1)) >> (2 * BITS);
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

/** Add a weight times what begins at `one` of the first and at `other` of the second; without an `other` begin anew with the first. */
function weigh(
  out: Int32Array,
  first: Int32Array,
  second: Int32Array,
  { weight, one, other }: { weight: number; one: number; other: number },
): void {
  if (other < 0) for (let i = 0; i < out.length; i++) out[i] = weight * first[one + i]!;
  else for (let i = 0; i < out.length; i++) out[i]! += weight * (first[one + i]! + second[other + i]!);
}
