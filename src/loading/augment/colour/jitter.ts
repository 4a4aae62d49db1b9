// Colours changed by brightness, contrast, saturation and hue, in OpenCV's arithmetic: hue in half degrees, 0 to 179.

import type { Rgb } from "../../../data/image/decode.ts";
import { takeBytes } from "../../../util/arrays/spareBytes.ts";
import { colourLoops } from "./loops/loops.ts";
import { scaledBytes } from "./tables.ts";

/** What is changed, in the order of the settings. */
export const JITTERS = ["brightness", "contrast", "saturation", "hue"] as const;

type Jitter = (typeof JITTERS)[number];

/**
 * Torchvision's colour jitter: factors, and turns of the circle of colours, in this order. What changes nothing is left out; all that is
 * done is done in one new picture, since new memory takes longer than most of it.
 */
export function colourJitter(image: Rgb, amounts: Record<Jitter, number>, order: readonly Jitter[]): Rgb {
  const changing = order.filter((jitter) => amounts[jitter] !== (jitter === "hue" ? 0 : 1));
  if (changing.length === 0) return image;
  const out = takeBytes(image.data.length);
  let from = image.data;
  for (const jitter of changing) {
    CHANGES[jitter](from, out, amounts[jitter]);
    from = out;
  }
  return { ...image, data: out };
}

/** From bytes into others, which may be the same. */
const CHANGES: Record<Jitter, (data: Uint8Array, out: Uint8Array, amount: number) => void> = {
  brightness: (data, out, factor) => colourLoops().throughTables(data, out, scaledBytes({ factor, add: 0 })),
  contrast: (data, out, factor) => {
    const mean = colourLoops().greySum(data) / (data.length / 3);
    const add = factor === 0 ? Math.round(mean) : mean * (1 - factor);
    colourLoops().throughTables(data, out, scaledBytes({ factor, add }));
  },
  saturation: (data, out, factor) => colourLoops().saturate(data, out, Math.round(0x10000 * factor)),
  hue: (data, out, turns) =>
    colourLoops().throughHsv(data, out, turnedHue(180 * turns), shiftedBytes(0), shiftedBytes(0)),
};

/** Something added to hue (half degrees), saturation and value (both of 255). A grey stays one. */
export function shiftHsv(
  { data, width, height }: Rgb,
  { hue, saturation, value }: { hue: number; saturation: number; value: number },
): Rgb {
  const out = takeBytes(data.length);
  colourLoops().throughHsv(data, out, turnedHue(hue), shiftedBytes(saturation), shiftedBytes(value));
  return { data: out, width, height };
}

/** Hues turned by some half degrees; what is left of them is cut off. */
function turnedHue(by: number): Uint8Array {
  const hues = new Uint8Array(180);
  for (let hue = 0; hue < 180; hue++) hues[hue] = Math.floor((((hue + by) % 180) + 180) % 180);
  return hues;
}

/** Bytes that something is added to. */
function shiftedBytes(by: number): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let v = 0; v < 256; v++) bytes[v] = Math.min(Math.max(v + Math.trunc(by), 0), 255);
  return bytes;
}
