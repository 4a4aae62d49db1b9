// The two passes of a resize in JavaScript, for machines without our addon: the same bytes.

import type { Rgb } from "../decode.ts";
import { BITS, type Kernel, reach } from "./kernel.ts";

const HALF = 1 << (BITS - 1);

/** Horizontally, then vertically, rounded to bytes after each. Returns RGB bytes. */
export function resizeInPasses(image: Rgb, xs: Kernel, ys: Kernel): Uint8Array {
  const rows = reach(ys);
  return vertically(horizontally(image, xs, rows), ys, { top: rows.from, stride: (3 * xs.rows.length) / xs.step });
}

function horizontally({ data, width }: Rgb, { rows, step }: Kernel, { from, to }: { from: number; to: number }) {
  const out = new Uint8Array(((3 * rows.length) / step) * (to - from));
  let at = 0;
  for (let y = from; y < to; y++) {
    for (let row = 0; row < rows.length; row += step) {
      let [r, g, b] = [HALF, HALF, HALF];
      let pixel = 3 * (width * y + rows[row]!);
      let k = row + 2;
      for (const end = k + rows[row + 1]!; k < end; k++) {
        const weight = rows[k]!;
        r += data[pixel++]! * weight;
        g += data[pixel++]! * weight;
        b += data[pixel++]! * weight;
      }
      out[at++] = r >> BITS;
      out[at++] = g >> BITS;
      out[at++] = b >> BITS;
    }
  }
  return out;
}

/** `top` is the row of the picture that `data` begins with. */
function vertically(
  data: Uint8Array,
  { rows, step }: Kernel,
  { top, stride }: { top: number; stride: number },
): Uint8Array {
  const out = new Uint8Array((rows.length / step) * stride);
  const sums = new Int32Array(stride);
  let at = 0;
  for (let row = 0; row < rows.length; row += step) {
    sums.fill(HALF);
    for (let k = 0; k < rows[row + 1]!; k++) {
      const weight = rows[row + 2 + k]!;
      const from = (rows[row]! - top + k) * stride;
      for (let i = 0; i < stride; i++) sums[i]! += data[from + i]! * weight;
    }
    for (let i = 0; i < stride; i++) out[at++] = sums[i]! >> BITS;
  }
  return out;
}
