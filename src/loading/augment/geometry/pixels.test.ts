// Warps by our addon beside those by JavaScript.

import { expect, test } from "vitest";
import { imageAddon } from "../../../data/image/pillow/addon.ts";
import { inverse, type Matrix } from "../../../instance/matrix.ts";
import { type Rng, rngFromSeed } from "../../../util/random/rng.ts";
import type { Colour } from "../step.ts";
import { warpInScript } from "./pixels.ts";

const addon = imageAddon();

const between = (rng: Rng, low: number, high: number) => low + (high - low) * rng.uniform();

/** Turns about the middle, shifts, shears and tilts; each sixth is one that steps do not draw. */
function drawn(rng: Rng, kind: number, width: number, height: number): Matrix {
  const [x, y] = [width / 2, height / 2];
  const angle = between(rng, -4, 4);
  const scale = kind === 1 ? 1 : between(rng, 0.1, 3);
  const [c, s] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  const [tx, ty] = [between(rng, -1, 1) * width, between(rng, -1, 1) * height];
  if (kind === 0) return [1, 0, Math.trunc(tx), 0, 1, Math.trunc(ty), 0, 0, 1];
  if (kind === 1) return [c, s, x - c * x - s * y, -s, c, y + s * x - c * y, 0, 0, 1];
  if (kind === 2) return [c, s, tx, -s, c * scale, ty, 0, 0, 1];
  const tilt = between(rng, -1, 1) / Math.max(width, height);
  if (kind === 3) return [c, s, tx, -s, c, ty, tilt / 10, -tilt / 5, 1];
  if (kind === 4) return [c, s, tx, -s, c, ty, 3 * tilt, 2 * tilt, between(rng, -0.5, 0.5)]; // a horizon in the picture
  return [c, s, tx, 0, 0, ty, 0, 0, 1]; // nothing to find a way back by
}

test.skipIf(!addon)("our addon warps pictures of all sizes to the bytes that JavaScript makes of them", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const rng = rngFromSeed(seed);
    const most = seed % 100 === 0 ? 400 : 40;
    const [width, height] = [1 + rng.int(most), 1 + rng.int(seed % 7 === 0 ? 1 : most)];
    const data = Uint8Array.from({ length: 3 * width * height }, () => rng.int(256));
    const fill: Colour = [rng.int(256), rng.int(256), rng.int(256)];
    const back = inverse(drawn(rng, seed % 6, width, height));
    const out = new Uint8Array(data.length);
    expect(addon!.warp(data, out, width, Float64Array.from(back), Uint8Array.from(fill))).toBe(true);
    const script = warpInScript({ data, width, height }, back, fill).data;
    expect([seed, Buffer.compare(out, script)]).toEqual([seed, 0]);
  }
});

test.skipIf(!addon)("it refuses memory that does not fit together", () => {
  const [matrix, fill] = [Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), new Uint8Array(3)];
  const warp = (length: number, same: number, width: number, by = matrix, colour = fill) =>
    addon!.warp(new Uint8Array(length), new Uint8Array(same), width, by, colour);
  expect(warp(24, 24, 4)).toBe(true);
  for (const [
    length,
    same,
    width,
  ] of [[24, 23, 4], [25, 25, 4], [24, 24, 0], [24, 24, -4], [24, 24, 5], [24, 24, 2 ** 52], [0, 0, 4]] as const) // biome-ignore format: one line
    expect(warp(length, same, width)).toBe(false);
  expect(warp(24, 24, 4, new Float64Array(8))).toBe(false);
  expect(warp(24, 24, 4, new Uint8Array(9) as unknown as Float64Array<ArrayBuffer>)).toBe(false);
  expect(warp(24, 24, 4, matrix, new Uint8Array(2))).toBe(false);
});
