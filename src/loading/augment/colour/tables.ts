// Colours that change byte by byte, whatever lies beside: brightness and contrast, gamma, histograms made even, grey.

import type { Rgb } from "../../../data/image/decode.ts";
import { takeBytes } from "../../../util/arrays/spareBytes.ts";
import { colourLoops, greyOf } from "./loops/loops.ts";

/** A new picture whose channels have gone through 256 bytes each: one table for all, or three. */
function through({ data, width, height }: Rgb, ...tables: Uint8Array[]): Rgb {
  const out = takeBytes(data.length);
  colourLoops().throughTables(data, out, ofChannels(tables));
  return { data: out, width, height };
}

/** The tables of three channels in one. */
function ofChannels(tables: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(768);
  for (let c = 0; c < 3; c++) all.set(tables[c % tables.length]!, 256 * c);
  return all;
}

/** For all channels: bytes times a factor and something added, in float32, and what is left of a whole number cut off. */
export function scaledBytes({ factor, add }: { factor: number; add: number }): Uint8Array {
  const round = Math.fround;
  const [times, plus] = [round(factor), round(add)];
  const bytes = new Uint8Array(256);
  for (let v = 0; v < 256; v++) bytes[v] = Math.min(Math.max(round(round(v * times) + plus), 0), 255);
  return ofChannels([bytes]);
}

/** Contrast times `1 + contrast`, and `brightness` of 255 (`byMax`) or of the picture's mean added. */
export function brightnessContrast(
  image: Rgb,
  { brightness, contrast, byMax }: { brightness: number; contrast: number; byMax: boolean },
): Rgb {
  const out = takeBytes(image.data.length);
  const add = brightness * (byMax ? 255 : meanOf(image.data));
  colourLoops().throughTables(image.data, out, scaledBytes({ factor: 1 + contrast, add }));
  return { ...image, data: out };
}

/** Bytes as shares of 255 to this power. */
export function gammaBytes(image: Rgb, gamma: number): Rgb {
  const table = Uint8Array.from({ length: 256 }, (_, v) => (v * (1 / 255)) ** gamma * 255);
  return through(image, table);
}

/** Each channel's histogram made even, as OpenCV's `equalizeHist` does it. */
export function equalize(image: Rgb): Rgb {
  return through(image, ...[0, 1, 2].map((channel) => evenTable(image.data, channel)));
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
  const out = takeBytes(data.length);
  for (let at = 0; at < data.length; at += 3)
    out[at] = out[at + 1] = out[at + 2] = greyOf(data[at]!, data[at + 1]!, data[at + 2]!);
  return { data: out, width, height };
}

function meanOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
  return sum / bytes.length;
}
