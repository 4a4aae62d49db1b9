// What a picture loses when it is written as JPEG and read again, without the file between: colours at half size, cosines rounded.
// The arithmetic is libjpeg's with its defaults (4:2:0, "fancy" upsampling), the cosine transform that of real numbers.

import type { Rgb } from "../../../data/image/decode.ts";

/** Steps of the cosines at quality 50, row by row: of light, and of the two colours. */
const LIGHT = [
  ...[16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56],
  ...[14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92],
  ...[49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99],
];
const COLOUR = [17, 18, 24, 47, 18, 21, 26, 66, 24, 26, 56, 99, 47, 66, 99, 99].flatMap((v, i) =>
  i % 4 === 3 ? [v, 99, 99, 99, 99] : [v],
);
COLOUR.push(...new Array<number>(64 - COLOUR.length).fill(99));

/** Bytes `[height, width]` of which `width * height` may be padding. */
type Plane = { data: Uint8Array; width: number; height: number };

/** `quality` from 1 to 100. */
export function compress(image: Rgb, quality: number): Rgb {
  const { light, blue, red } = apart(image);
  const scale = quality < 50 ? Math.trunc(5000 / quality) : 200 - 2 * quality;
  const steps = (base: readonly number[]) =>
    Float64Array.from(base, (v) => Math.min(Math.max(Math.trunc((v * scale + 50) / 100), 1), 255));
  for (const [plane, base] of [[light, LIGHT], [blue, COLOUR], [red, COLOUR]] as const) roundCosines(plane, steps(base)); // biome-ignore format: one line
  return together({ light, blue, red }, image);
}

/** Light in full, two colours in half size; the edge repeats up to whole blocks. */
function apart({ data, width, height }: Rgb): { light: Plane; blue: Plane; red: Plane } {
  const [w, h] = [16 * Math.ceil(width / 16), 16 * Math.ceil(height / 16)];
  const light = { data: new Uint8Array(w * h), width: w, height: h };
  const [blues, reds] = [new Uint8Array(w * h), new Uint8Array(w * h)];
  const half = 1 << 15;
  for (let y = 0, to = 0; y < h; y++)
    for (let x = 0; x < w; x++, to++) {
      const from = 3 * (Math.min(y, height - 1) * width + Math.min(x, width - 1));
      const r = data[from]!;
      const g = data[from + 1]!;
      const b = data[from + 2]!;
      light.data[to] = (19595 * r + 38470 * g + 7471 * b + half) >> 16;
      blues[to] = (-11059 * r - 21709 * g + 32768 * b + (128 << 16) + half - 1) >> 16;
      reds[to] = (32768 * r - 27439 * g - 5329 * b + (128 << 16) + half - 1) >> 16;
    }
  return { light, blue: halved(blues, w, h), red: halved(reds, w, h) };
}

function halved(data: Uint8Array, width: number, height: number): Plane {
  const half = { data: new Uint8Array((width * height) / 4), width: width / 2, height: height / 2 };
  for (let y = 0, to = 0; y < half.height; y++)
    for (let x = 0; x < half.width; x++, to++) {
      const at = 2 * y * width + 2 * x;
      half.data[to] = (data[at]! + data[at + 1]! + data[at + width]! + data[at + width + 1]! + 1 + (x & 1)) >> 2;
    }
  return half;
}

const cosine = (u: number, x: number) =>
  (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
/** Even and odd cosines at the first four places; the other four mirror them. */
const [EVEN, ODD] = [0, 1].map((odd) =>
  Float64Array.from({ length: 16 }, (_, i) => cosine(2 * (i >> 2) + odd, i & 3)),
) as [Float64Array, Float64Array];

/** Every block of 8 x 8 to cosines, these to whole multiples of their steps, and back. */
function roundCosines({ data, width, height }: Plane, steps: Float64Array): void {
  const block = new Float64Array(64);
  for (let top = 0; top < height; top += 8)
    for (let left = 0; left < width; left += 8) {
      const at = top * width + left;
      for (let i = 0; i < 64; i++) block[i] = data[at + (i >> 3) * width + (i & 7)]! - 128;
      for (let i = 0; i < 8; i++) toCosines(block, 8 * i, 1);
      for (let i = 0; i < 8; i++) toCosines(block, i, 8);
      for (let i = 0; i < 64; i++) block[i] = Math.round(block[i]! / steps[i]!) * steps[i]!;
      for (let i = 0; i < 8; i++) fromCosines(block, i, 8);
      for (let i = 0; i < 8; i++) fromCosines(block, 8 * i, 1);
      for (let i = 0; i < 64; i++)
        data[at + (i >> 3) * width + (i & 7)] = Math.min(Math.max(Math.round(block[i]!) + 128, 0), 255);
    }
}

/** Eight numbers, `step` apart, in place. */
function toCosines(v: Float64Array, at: number, step: number): void {
  const last = at + 7 * step;
  const a = v[at]!;
  const b = v[at + step]!;
  const c = v[at + 2 * step]!;
  const d = v[at + 3 * step]!;
  const e = v[last - 3 * step]!;
  const f = v[last - 2 * step]!;
  const g = v[last - step]!;
  const h = v[last]!;
  for (let u = 0, k = 0; u < 4; u++, k += 4) {
    v[at + 2 * u * step] =
      EVEN[k]! * (a + h) + EVEN[k + 1]! * (b + g) + EVEN[k + 2]! * (c + f) + EVEN[k + 3]! * (d + e);
    v[at + (2 * u + 1) * step] = ODD[k]! * (a - h) + ODD[k + 1]! * (b - g) + ODD[k + 2]! * (c - f) + ODD[k + 3]! * (d - e); // biome-ignore format: one line
  }
}

function fromCosines(v: Float64Array, at: number, step: number): void {
  const a = v[at]!;
  const b = v[at + step]!;
  const c = v[at + 2 * step]!;
  const d = v[at + 3 * step]!;
  const e = v[at + 4 * step]!;
  const f = v[at + 5 * step]!;
  const g = v[at + 6 * step]!;
  const h = v[at + 7 * step]!;
  for (let x = 0; x < 4; x++) {
    const even = EVEN[x]! * a + EVEN[4 + x]! * c + EVEN[8 + x]! * e + EVEN[12 + x]! * g;
    const odd = ODD[x]! * b + ODD[4 + x]! * d + ODD[8 + x]! * f + ODD[12 + x]! * h;
    v[at + x * step] = even + odd;
    v[at + (7 - x) * step] = even - odd;
  }
}

/** The colours grow by a triangle filter: three parts of the nearer one, one of the farther, across and down. */
function together({ light, blue, red }: { light: Plane; blue: Plane; red: Plane }, { width, height }: Rgb): Rgb {
  const out = new Uint8ClampedArray(3 * width * height);
  const [w, h] = [(width + 1) >> 1, (height + 1) >> 1];
  const [blues, reds] = [new Uint8Array(2 * w), new Uint8Array(2 * w)];
  for (let y = 0, to = 0; y < height; y++) {
    const near = y >> 1;
    const far = Math.min(Math.max(near + (y & 1 ? 1 : -1), 0), h - 1);
    for (const [{ data, width: row }, grown] of [[blue, blues], [red, reds]] as const) // biome-ignore format: one line
      growRow(grown, data.subarray(near * row, near * row + w), data.subarray(far * row, far * row + w));
    for (let x = 0; x < width; x++, to += 3) {
      const l = light.data[y * light.width + x]!;
      const b = blues[x]! - 128;
      const r = reds[x]! - 128;
      out[to] = l + ((91881 * r + 0x8000) >> 16);
      out[to + 1] = l + ((-22554 * b - 46802 * r + 0x8000) >> 16);
      out[to + 2] = l + ((116130 * b + 0x8000) >> 16);
    }
  }
  return { data: new Uint8Array(out.buffer), width, height };
}

function growRow(out: Uint8Array, near: Uint8Array, far: Uint8Array): void {
  let before = 3 * near[0]! + far[0]!;
  let own = before;
  for (let x = 0; x < near.length; x++) {
    const after = x + 1 < near.length ? 3 * near[x + 1]! + far[x + 1]! : own;
    out[2 * x] = (3 * own + before + 8) >> 4;
    out[2 * x + 1] = (3 * own + after + 7) >> 4;
    before = own;
    own = after;
  }
}
