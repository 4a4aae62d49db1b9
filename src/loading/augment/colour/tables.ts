// Colours that change byte by byte, whatever lies beside: brightness and contrast, gamma, histograms made even, grey.

import type { Rgb } from "../../../data/image/decode.ts";
import { greyOf, meanOf } from "./space/grey.ts";

/** A new picture whose channels have gone through one table of 256 bytes, or each through its own. */
function through({ data, width, height }: Rgb, tables: readonly [Uint8Array, Uint8Array, Uint8Array]): Rgb {
  const out = new Uint8Array(data.length);
  const [red, green, blue] = tables;
  for (let at = 0; at < data.length; at += 3) {
    out[at] = red[data[at]!]!;
    out[at + 1] = green[data[at + 1]!]!;
    out[at + 2] = blue[data[at + 2]!]!;
  }
  return { data: out, width, height };
}

/** Every byte times a factor and something added, in float32, and what is left of a whole number cut off. */
export function scaleBytes(image: Rgb, { factor, add }: { factor: number; add: number }): Rgb {
  const round = Math.fround;
  const table = Uint8Array.from({ length: 256 }, (_, v) =>
    Math.min(Math.max(round(round(v * round(factor)) + round(add)), 0), 255),
  );
  return through(image, [table, table, table]);
}

/** Contrast times `1 + contrast`, and `brightness` of 255 (`byMax`) or of the picture's mean added. */
export function brightnessContrast(
  image: Rgb,
  { brightness, contrast, byMax }: { brightness: number; contrast: number; byMax: boolean },
): Rgb {
  return scaleBytes(image, { factor: 1 + contrast, add: brightness * (byMax ? 255 : meanOf(image.data)) });
}

/** Bytes as shares of 255 to this power. */
export function gammaBytes(image: Rgb, gamma: number): Rgb {
  const table = Uint8Array.from({ length: 256 }, (_, v) => (v * (1 / 255)) ** gamma * 255);
  return through(image, [table, table, table]);
}

/** Each channel's histogram made even, as OpenCV's `equalizeHist` does it. */
export function equalize(image: Rgb): Rgb {
  return through(image, [evenTable(image.data, 0), evenTable(image.data, 1), evenTable(image.data, 2)]);
}

function evenTable(data: Uint8Array, channel: number): Uint8Array {
  const counts = new Uint32Array(256);
  for (let at = channel; at < data.length; at += 3) counts[data[at]!]!++;
  const total = data.length / 3;
  const first = counts.findIndex((count) => count > 0);
  if (counts[first] === total) return new Uint8Array(256).fill(first);
  const scale = Math.fround(255 / (total - counts[first]!));
  const table = new Uint8ClampedArray(256); // it rounds as OpenCV does
  let sum = 0;
  for (let v = first + 1; v < 256; v++) {
    sum += counts[v]!;
    table[v] = Math.fround(sum * scale);
  }
  return new Uint8Array(table.buffer);
}

/** Three channels of one grey. */
export function toGrey({ data, width, height }: Rgb): Rgb {
  const grey = greyOf(data);
  const out = new Uint8Array(data.length);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) out[at] = out[at + 1] = out[at + 2] = grey[i]!;
  return { data: out, width, height };
}
