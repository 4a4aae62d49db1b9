// Blurs of squares and of bells, and the sharpening that is their opposite.

import type { Rgb } from "../../../data/image/decode.ts";
import { BELL_BITS, colourLoops, SCRIPT_LOOPS } from "./loops/loops.ts";
import { reflected, wideRow } from "./loops/reflect.ts";

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
  const { wide, inner: sums, reflect } = wideRow(reflected(width, radius), radius);
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

/** A bell of `side` pixels, or of as many as sigma needs where that is 0; an even side becomes the next odd one. */
export function gaussianBlur(image: Rgb, { sigma, side }: { sigma: number; side: number }): Rgb {
  const weights = bell(sigma, side === 0 ? 2 * Math.trunc(3.5 * sigma) + 1 : side + (side % 2 === 0 ? 1 : 0));
  return weights.length === 1 ? image : symmetricFilter(image, weights);
}

/** Weights from the middle outwards, whole numbers whose sum over both sides is a power of two, so that no picture gets darker. */
function bell(sigma: number, side: number): number[] {
  if (sigma <= 0) return [1];
  const heights = Array.from({ length: (side >> 1) + 1 }, (_, x) => Math.exp(-0.5 * (x / sigma) ** 2));
  const total = heights.reduce((sum, height, x) => sum + (x === 0 ? height : 2 * height), 0);
  const [, ...outer] = heights
    .map((height) => Math.round((2 ** BELL_BITS * height) / total))
    .filter((weight) => weight > 0);
  return [2 ** BELL_BITS - 2 * outer.reduce((sum, weight) => sum + weight, 0), ...outer];
}

function symmetricFilter({ data, width, height }: Rgb, weights: readonly number[]): Rgb {
  const radius = weights.length - 1;
  const out = new Uint8Array(data.length);
  const by = [Int32Array.from(weights), reflected(width, radius), reflected(height, radius)] as const;
  if (!colourLoops().blur(data, out, ...by)) SCRIPT_LOOPS.blur(data, out, ...by);
  return { data: out, width, height };
}
