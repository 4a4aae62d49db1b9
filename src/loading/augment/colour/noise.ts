// Gaussian noise on every byte, or on all three of a pixel alike.

import type { Rgb } from "../../../data/image/decode.ts";
import { rngFromSeed } from "../../../util/random/rng.ts";

/** Standard normal numbers, as many as 16 bits can choose from, all equally likely. */
const CHOICES = 2 ** 16;
let cached: Float32Array | undefined;

/** `deviation` is on the scale of bytes; what is added to a byte is cut off to a whole number. */
export function gaussNoise(
  { data, width, height }: Rgb,
  { deviation, perChannel, seed }: { deviation: number; perChannel: boolean; seed: number },
): Rgb {
  const noise = cutNoise(deviation);
  const rng = rngFromSeed(seed);
  const out = new Uint8ClampedArray(data.length);
  // a number of 32 bits does for two
  if (perChannel) {
    for (let at = 0; at < data.length; at += 2) {
      const bits = rng.int(2 ** 32);
      out[at] = data[at]! + noise[bits & 0xffff]!;
      if (at + 1 < data.length) out[at + 1] = data[at + 1]! + noise[bits >>> 16]!;
    }
  } else {
    for (let at = 0, bits = 0; at < data.length; at += 3) {
      bits = at % 2 === 0 ? rng.int(2 ** 32) : bits >>> 16;
      const own = noise[bits & 0xffff]!;
      out[at] = data[at]! + own;
      out[at + 1] = data[at + 1]! + own;
      out[at + 2] = data[at + 2]! + own;
    }
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

/** What is added to a byte, for each of the choices. */
function cutNoise(deviation: number): Int16Array {
  const normal = normals();
  const noise = new Int16Array(CHOICES);
  for (let i = 0; i < CHOICES; i++) noise[i] = deviation * normal[i]!; // cut off
  return noise;
}

function normals(): Float32Array {
  cached ??= Float32Array.from({ length: CHOICES }, (_, i) => quantile((i + 0.5) / CHOICES));
  return cached;
}

/** The standard normal's quantile, by Acklam's rational approximation (relative error below 1.2e-9). */
function quantile(p: number): number {
  if (p > 0.5) return -quantile(1 - p);
  const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, c) => sum * x + c, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(TAIL[0], q) / polynomial(TAIL[1], q);
  }
  const q = p - 0.5;
  return (q * polynomial(MIDDLE[0], q * q)) / polynomial(MIDDLE[1], q * q);
}

const MIDDLE = [
  [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239],
  [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
] as const;
const TAIL = [
  [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ],
  [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
] as const;
