// Colour jitter as torchvision names it: brightness, contrast, saturation and hue, in a drawn order.

import type { Rgb } from "../../../data/image/decode.ts";
import { greyOf, meanOf } from "./space/grey.ts";
import { shiftedBytes, throughHsv, turnedHue } from "./space/hsv.ts";
import { scaleBytes } from "./tables.ts";

/** What is changed, in the order of the settings. */
export const JITTERS = ["brightness", "contrast", "saturation", "hue"] as const;

type Jitter = (typeof JITTERS)[number];

/** Factors, and turns of the circle of colours; those that change nothing are left out of the work. */
export function colourJitter(image: Rgb, amounts: Record<Jitter, number>, order: readonly Jitter[]): Rgb {
  return order.reduce((now, jitter) => CHANGES[jitter](now, amounts[jitter]), image);
}

const CHANGES: Record<Jitter, (image: Rgb, amount: number) => Rgb> = {
  brightness: (image, factor) => (factor === 1 ? image : scaleBytes(image, { factor, add: 0 })),
  contrast: (image, factor) => {
    if (factor === 1) return image;
    const mean = meanOf(greyOf(image.data));
    return scaleBytes(image, { factor, add: factor === 0 ? Math.round(mean) : mean * (1 - factor) });
  },
  saturation: (image, factor) => (factor === 1 ? image : saturate(image, factor)),
  hue: (image, turns) => (turns === 0 ? image : throughHsv(image, { ...KEPT, hue: turnedHue(180 * turns) })),
};

const KEPT = { saturation: shiftedBytes(0), value: shiftedBytes(0) };

/** Each pixel between its grey and itself, or beyond. */
function saturate({ data, width, height }: Rgb, factor: number): Rgb {
  const grey = greyOf(data);
  const out = new Uint8ClampedArray(data.length); // it rounds as OpenCV does
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) {
    const rest = grey[i]! * (1 - factor);
    out[at] = data[at]! * factor + rest;
    out[at + 1] = data[at + 1]! * factor + rest;
    out[at + 2] = data[at + 2]! * factor + rest;
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

/** Something added to hue (half degrees), saturation and value (both of 255). */
export function shiftHsv(image: Rgb, by: { hue: number; saturation: number; value: number }): Rgb {
  const tables = { hue: turnedHue(by.hue), saturation: shiftedBytes(by.saturation), value: shiftedBytes(by.value) };
  return throughHsv(image, tables);
}
