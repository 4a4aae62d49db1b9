// Stored results of Albumentations, made by scripts/fixtures/make-colour-fixtures.py.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Rgb } from "../../../data/image/decode.ts";
import { boxBlur, gaussianBlur, sharpen } from "./blur.ts";
import { clahe } from "./clahe.ts";
import { compress } from "./compression.ts";
import { fillHole } from "./dropout.ts";
import { colourJitter, shiftHsv } from "./jitter.ts";
import { meanAlong, motionLine } from "./motion.ts";
import { gaussNoise } from "./noise.ts";
import { brightnessContrast, equalize, gammaBytes, toGrey } from "./tables.ts";

const FIXTURES = new URL("../../../../tests/fixtures/colour/", import.meta.url);
type Case = { name: string; picture: string; settings: never };
const manifest: {
  pictures: Record<string, [width: number, height: number]>;
  cases: Case[];
  noise: { deviation: number; level: number; mean: number; std: number }[];
} = JSON.parse(readFileSync(new URL("cases.json", FIXTURES), "utf8"));
const blob = gunzipSync(readFileSync(new URL("pixels.bin.gz", FIXTURES)));

let read = 0;
function next([width, height]: [number, number]): Rgb {
  const data = Uint8Array.from(blob.subarray(read, read + 3 * width * height));
  read += data.length;
  return { data, width, height };
}

const pictures = Object.fromEntries(Object.entries(manifest.pictures).map(([name, size]) => [name, next(size)]));
const expected = new Map(manifest.cases.map((one) => [one, next(manifest.pictures[one.picture]!)]));

type Hole = [number, number, number, number];
const MAKERS: Record<string, (image: Rgb, settings: never) => Rgb> = {
  random_brightness_contrast: (image, { by_max: byMax, ...rest }: { brightness: number; contrast: number; by_max: boolean }) => brightnessContrast(image, { ...rest, byMax }), // biome-ignore format: one line
  color_jitter: (image, { order, ...amounts }: Parameters<typeof colourJitter>[1] & { order: Parameters<typeof colourJitter>[2] }) => colourJitter(image, amounts, order), // biome-ignore format: one line
  hue_saturation_value: shiftHsv,
  random_gamma: (image, { gamma }: { gamma: number }) => gammaBytes(image, gamma),
  clahe,
  equalize,
  to_gray: toGrey,
  sharpen,
  blur: (image, { side }: { side: number }) => boxBlur(image, side),
  gaussian_blur: gaussianBlur,
  motion_blur: (image, motion: Parameters<typeof motionLine>[0]) => meanAlong(image, motionLine(motion)),
  image_compression: (image, { quality }: { quality: number }) => compress(image, quality),
  coarse_dropout: (image, { holes, fill }: { holes: Hole[]; fill: number }) => {
    const data = image.data.slice();
    for (const [left, top, right, bottom] of holes)
      fillHole({ ...image, data }, { left, top, width: right - left, height: bottom - top }, () => [fill, fill, fill]);
    return { ...image, data };
  },
};

/** The mean difference allowed, of 255; none where nothing is said. docs/augmentation.md says why these differ. */
const MOST: Record<string, number> = {
  ...{ color_jitter: 0.5, hue_saturation_value: 0.35, clahe: 0.1, sharpen: 0.05, gaussian_blur: 0.05 },
  image_compression: 0.5,
};

describe("the same as Albumentations with the same parameters", () => {
  test.each(manifest.cases)("$name of $picture with $settings", (one) => {
    const image = pictures[one.picture]!;
    const before = image.data.slice();
    const made = MAKERS[one.name]!(image, one.settings);
    const { data } = expected.get(one)!;
    expect([made.width, made.height]).toEqual([image.width, image.height]);
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += Math.abs(made.data[i]! - data[i]!);
    expect(sum / data.length).toBeLessThanOrEqual(MOST[one.name] ?? 0);
    expect(image.data).toEqual(before);
  });

  test.each(manifest.noise)("noise of $deviation on $level spreads as theirs", ({ deviation, level, mean, std }) => {
    const grey = { data: new Uint8Array(3 * 200 * 200).fill(level), width: 200, height: 200 };
    const { data } = gaussNoise(grey, { deviation, perChannel: true, seed: 3 });
    const own = data.reduce((sum, v) => sum + v, 0) / data.length;
    const spread = Math.sqrt(data.reduce((sum, v) => sum + (v - own) ** 2, 0) / data.length);
    expect(Math.abs(own - mean)).toBeLessThan(0.5);
    expect(Math.abs(spread - std)).toBeLessThan(0.01 * std);
  });
});
