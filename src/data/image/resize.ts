// The two resizes of the reference: Pillow's antialiased bilinear (training and evaluation) and plain bilinear (prediction).

import type { Rgb } from "./decode.ts";

/** Mean and standard deviation per RGB channel, on the scale 0..1. */
export type Normalisation = { mean: readonly number[]; std: readonly number[] };

export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** Fixed-point bits of a weight: as Pillow's Resample.c, so that results are equal to the bit. */
const BITS = 22;

/** For each output position, the first input position and its fixed-point weights, `taps` to a position. */
type Kernel = { first: Int32Array; count: Int32Array; weights: Int32Array; taps: number };

/**
 * Resize as Pillow does with BILINEAR: a triangle filter widened when shrinking, horizontally then vertically, rounded to
 * bytes after each pass. Returns its argument if nothing changes.
 */
export function resizePillow(image: Rgb, width: number, height: number): Rgb {
  let { data } = image;
  if (width !== image.width) {
    const kernel = triangle(image.width, width);
    const out = new Uint8Array(3 * width * image.height);
    for (let y = 0; y < image.height; y++) {
      const row = 3 * image.width * y;
      let at = 3 * width * y;
      for (let x = 0; x < width; x++) {
        let [r, g, b] = [HALF, HALF, HALF];
        let from = row + 3 * kernel.first[x]!;
        let k = x * kernel.taps;
        for (const end = k + kernel.count[x]!; k < end; k++) {
          const weight = kernel.weights[k]!;
          r += data[from++]! * weight;
          g += data[from++]! * weight;
          b += data[from++]! * weight;
        }
        out[at++] = r >> BITS;
        out[at++] = g >> BITS;
        out[at++] = b >> BITS;
      }
    }
    data = out;
  }
  if (height !== image.height) {
    const kernel = triangle(image.height, height);
    const stride = 3 * width;
    const out = new Uint8Array(stride * height);
    const sums = new Int32Array(stride);
    for (let y = 0; y < height; y++) {
      sums.fill(HALF);
      for (let k = 0; k < kernel.count[y]!; k++) {
        const weight = kernel.weights[y * kernel.taps + k]!;
        const row = (kernel.first[y]! + k) * stride;
        for (let i = 0; i < stride; i++) sums[i]! += data[row + i]! * weight;
      }
      for (let i = 0; i < stride; i++) out[y * stride + i] = sums[i]! >> BITS;
    }
    data = out;
  }
  return data === image.data ? image : { data, width, height };
}

const HALF = 1 << (BITS - 1);

function triangle(from: number, to: number): Kernel {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const taps = 2 * Math.ceil(support) + 1;
  const [first, count, weights] = [new Int32Array(to), new Int32Array(to), new Int32Array(to * taps)];
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const n = Math.min(Math.trunc(centre + support + 0.5), from) - start;
    const w = Array.from({ length: n }, (_, j) => Math.max(1 - Math.abs((j + start - centre + 0.5) / support), 0));
    const sum = w.reduce((a, b) => a + b, 0);
    first[i] = start;
    count[i] = n;
    for (let j = 0; j < n; j++) weights[i * taps + j] = Math.trunc(0.5 + (w[j]! / sum) * (1 << BITS));
  }
  return { first, count, weights, taps };
}

/** Bytes to normalised float32 `[height, width, 3]`; `mirror` swaps left and right on the way. */
export function normalise(image: Rgb, { mirror = false }: { mirror?: boolean } = {}): Float32Array {
  const { mean, std } = IMAGENET;
  const { data, width, height } = image;
  const tables = [0, 1, 2].map((c) => table(mean[c]!, std[c]!));
  const [red, green, blue] = tables as [Float32Array, Float32Array, Float32Array];
  const out = new Float32Array(data.length);
  const step = mirror ? -6 : 0;
  let at = 0;
  for (let y = 0; y < height; y++) {
    let from = 3 * width * y + (mirror ? 3 * (width - 1) : 0);
    for (let x = 0; x < width; x++) {
      out[at++] = red[data[from++]!]!;
      out[at++] = green[data[from++]!]!;
      out[at++] = blue[data[from++]!]!;
      from += step;
    }
  }
  return out;
}

/** `(v / 255 - mean) / std` of every byte, each operation rounded to float32 as the reference's tensors are. */
function table(mean: number, std: number): Float32Array {
  const round = Math.fround;
  return Float32Array.from({ length: 256 }, (_, v) => round(round(round(v / 255) - round(mean)) / round(std)));
}

/**
 * The prediction-time resize: to float, bilinear between pixel centres without antialiasing (edges repeat), then
 * normalised. Returns float32 `[height, width, 3]`.
 */
export function resizeForPrediction(
  image: Rgb,
  width: number,
  height: number,
  { mean, std }: Normalisation = IMAGENET,
): Float32Array {
  const xs = between(image.width, width);
  const ys = between(image.height, height);
  const { data } = image;
  const scale = [0, 1, 2].map((c) => 1 / 255 / std[c]!);
  const shift = [0, 1, 2].map((c) => mean[c]! / std[c]!);
  const out = new Float32Array(3 * width * height);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [3 * image.width * ys.low[y]!, 3 * image.width * ys.high[y]!];
    const v = ys.weight[y]!;
    for (let x = 0; x < width; x++) {
      const [left, right] = [3 * xs.low[x]!, 3 * xs.high[x]!];
      const u = xs.weight[x]!;
      for (let c = 0; c < 3; c++) {
        const upper = data[top + left + c]! * (1 - u) + data[top + right + c]! * u;
        const lower = data[bottom + left + c]! * (1 - u) + data[bottom + right + c]! * u;
        out[at++] = (upper * (1 - v) + lower * v) * scale[c]! - shift[c]!;
      }
    }
  }
  return out;
}

/** The two neighbours of each output position and the weight of the higher one. */
function between(from: number, to: number) {
  const [low, high, weight] = [new Int32Array(to), new Int32Array(to), new Float64Array(to)];
  const scale = Math.fround(from / to); // places in float32, as the reference has them: they differ by up to 1e-5
  for (let i = 0; i < to; i++) {
    const place = Math.max(Math.fround(Math.fround(scale * (i + 0.5)) - 0.5), 0);
    low[i] = Math.min(Math.floor(place), from - 1);
    high[i] = Math.min(low[i]! + 1, from - 1);
    weight[i] = place - low[i]!;
  }
  return { low, high, weight };
}
