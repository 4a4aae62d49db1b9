// A part of a picture's pixels.

import type { Rgb } from "../image/decode.ts";

/** The pixels of a part that lies inside of the picture. */
export function cutOut(
  { data, width: from }: Rgb,
  { left, top, width, height }: { left: number; top: number; width: number; height: number },
): Rgb {
  const part = { data: new Uint8Array(3 * width * height), width, height };
  for (let y = 0; y < height; y++) {
    const start = 3 * ((top + y) * from + left);
    part.data.set(data.subarray(start, start + 3 * width), 3 * y * width);
  }
  return part;
}
