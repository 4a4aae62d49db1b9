// Lightness of CIE Lab in bytes changed by itself: to Lab in OpenCV's whole numbers and back.

import type { Rgb } from "../../../data/image/decode.ts";

/** sRGB to XYZ by the white of daylight (D65), row by row. */
const TO_XYZ = [0.412453, 0.35758, 0.180423, 0.212671, 0.71516, 0.072169, 0.019334, 0.119193, 0.950227];
const WHITE = [0.950456, 1, 1.088754];

const SHIFT = 12;
const GAMMA_SHIFT = 3;
const ROOT_SHIFT = SHIFT + GAMMA_SHIFT;

const COEFFICIENTS = Int32Array.from(TO_XYZ, (v, i) => Math.round((v * 2 ** SHIFT) / WHITE[Math.floor(i / 3)]!));
const L_SCALE = Math.floor((116 * 255 + 50) / 100);
const L_SHIFT = -Math.floor((16 * 255 * 2 ** ROOT_SHIFT + 50) / 100);

/** Light of a byte, 2040 for 255. */
const LIGHT = Uint16Array.from({ length: 256 }, (_, i) => {
  const x = i / 255;
  return Math.round(255 * 2 ** GAMMA_SHIFT * (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
});
/** Cube roots of light, straight near black. */
const ROOTS = Uint16Array.from({ length: 256 * 3 * 2 ** (GAMMA_SHIFT - 1) }, (_, i) => {
  const x = i / (255 * 2 ** GAMMA_SHIFT);
  return Math.round(2 ** ROOT_SHIFT * (x < 0.008856 ? x * 7.787 + 16 / 116 : Math.cbrt(x)));
});

/** Lab bytes of RGB bytes: lightness apart, `[height * width]` each. */
export function toLab(data: Uint8Array): { lightness: Uint8Array; a: Uint8Array; b: Uint8Array } {
  const n = data.length / 3;
  const [lightness, a, b] = [new Uint8Array(n), new Uint8Array(n), new Uint8Array(n)];
  const [rx, gx, bx, ry, gy, by, rz, gz, bz] = COEFFICIENTS as unknown as number[];
  const half = 1 << (SHIFT - 1);
  const rootHalf = 1 << (ROOT_SHIFT - 1);
  for (let i = 0, at = 0; i < n; i++, at += 3) {
    const red = LIGHT[data[at]!]!;
    const green = LIGHT[data[at + 1]!]!;
    const blue = LIGHT[data[at + 2]!]!;
    const x = ROOTS[(red * rx! + green * gx! + blue * bx! + half) >> SHIFT]!;
    const y = ROOTS[(red * ry! + green * gy! + blue * by! + half) >> SHIFT]!;
    const z = ROOTS[(red * rz! + green * gz! + blue * bz! + half) >> SHIFT]!;
    lightness[i] = clamp((L_SCALE * y + L_SHIFT + rootHalf) >> ROOT_SHIFT);
    a[i] = clamp((500 * (x - y) + 128 * 2 ** ROOT_SHIFT + rootHalf) >> ROOT_SHIFT);
    b[i] = clamp((200 * (y - z) + 128 * 2 ** ROOT_SHIFT + rootHalf) >> ROOT_SHIFT);
  }
  return { lightness, a, b };
}

const clamp = (v: number) => Math.min(Math.max(v, 0), 255);

/** XYZ to sRGB, row by row, the white multiplied in. */
const TO_RGB = [3.240479, -1.53715, -0.498535, -0.969256, 1.875991, 0.041556, 0.055648, -0.204043, 1.057311].map(
  (v, i) => v * WHITE[i % 3]!,
);
const STEPS = 8192;
/** The byte of light, 0 to 1 in steps. */
const BYTES = Uint8Array.from({ length: STEPS + 1 }, (_, i) => {
  const x = i / STEPS;
  return Math.round(255 * (x <= 0.0031308 ? x * 12.92 : 1.055 * x ** (1 / 2.4) - 0.055));
});
/** `(L + 16) / 116` of a byte. */
const OF_LIGHTNESS = Float64Array.from({ length: 256 }, (_, i) => ((i * 100) / 255 + 16) / 116);

/** RGB bytes of Lab bytes. */
export function fromLab(
  { lightness, a, b }: { lightness: Uint8Array; a: Uint8Array; b: Uint8Array },
  { width, height }: { width: number; height: number },
): Rgb {
  const data = new Uint8Array(3 * lightness.length);
  const [xr, yr, zr, xg, yg, zg, xb, yb, zb] = TO_RGB as [number, number, number, number, number, number, number, number, number]; // biome-ignore format: one line
  for (let i = 0, at = 0; i < lightness.length; i++, at += 3) {
    const root = OF_LIGHTNESS[lightness[i]!]!;
    const x = lightOf(root + (a[i]! - 128) / 500);
    const y = lightOf(root);
    const z = lightOf(root - (b[i]! - 128) / 200);
    data[at] = byteOf(xr * x + yr * y + zr * z);
    data[at + 1] = byteOf(xg * x + yg * y + zg * z);
    data[at + 2] = byteOf(xb * x + yb * y + zb * z);
  }
  return { data, width, height };
}

const lightOf = (root: number) => (root <= 6 / 29 ? (root - 16 / 116) / 7.787 : root * root * root);
const byteOf = (light: number) => BYTES[light <= 0 ? 0 : light >= 1 ? STEPS : (light * STEPS + 0.5) | 0]!;
