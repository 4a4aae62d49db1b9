// The two resizes of the reference: Pillow's antialiased bilinear (training and evaluation) and plain bilinear (prediction).

import { takeBytes } from "../../util/arrays/spareBytes.ts";
import type { Rgb } from "./decode.ts";
import { imageAddon } from "./pillow/addon.ts";
import { type Kernel, triangle } from "./pillow/kernel.ts";
import { resizeInPasses } from "./pillow/passes.ts";

/** Mean and standard deviation per RGB channel, on the scale 0..1. */
export type Normalisation = { mean: readonly number[]; std: readonly number[] };

export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** A part of a resized image, in pixels of that. */
type Part = { left: number; top: number; width: number; height: number };

/**
 * Resize as Pillow does with BILINEAR: a triangle filter widened when shrinking, horizontally then vertically, rounded to
 * bytes after each pass. Of the result only the part `cut` is made. Returns its argument if nothing changes.
 */
export function resizePillow(image: Rgb, width: number, height: number, { cut }: { cut?: Part | undefined } = {}): Rgb {
  if (!cut && width === image.width && height === image.height) return image;
  const part = cut ?? { left: 0, top: 0, width, height };
  const out = { data: takeBytes(3 * part.width * part.height), width: part.width, height: part.height };
  resizeOnto(out, { left: 0, top: 0 }, image, { width, height, cut: part });
  return out;
}

/** The same, onto a picture that it lies in, from a place on. */
export function resizeOnto(
  canvas: Rgb,
  { left, top }: { left: number; top: number },
  image: Rgb,
  { width, height, cut }: { width: number; height: number; cut: Part },
): void {
  const xs = triangle(image.width, width, { start: cut.left, count: cut.width });
  const ys = triangle(image.height, height, { start: cut.top, count: cut.height });
  const stride = 3 * canvas.width;
  const at = top * stride + 3 * left;
  const out = at === 0 ? canvas.data : canvas.data.subarray(at);
  const kernels = [xs.rows, xs.step, ys.rows, ys.step] as const;
  if (imageAddon()?.resize(image.data, 3 * image.width, ...kernels, out, stride)) return;
  const pixels = resizeInPasses(image, xs, ys);
  const row = 3 * cut.width;
  for (let y = 0; y < cut.height; y++) out.set(pixels.subarray(y * row, (y + 1) * row), y * stride);
}

/**
 * Resize to a square as `resizePillow` does, and normalise, into `out`: float32 rows of `stride` values, by default those of the square alone.
 * `mirror` swaps left and right on the way.
 */
export function resizeNormalised(
  image: Rgb,
  side: number,
  { out, stride = 3 * side, mirror = false }: { out: Float32Array; stride?: number; mirror?: boolean },
): void {
  const [xs, ys] = [image.width, image.height].map((from) => triangle(from, side, { start: 0, count: side })) as [
    Kernel,
    Kernel,
  ];
  const kernels = [xs.rows, xs.step, ys.rows, ys.step] as const;
  if (imageAddon()?.resize(image.data, 3 * image.width, ...kernels, out, stride, tables(), Number(mirror))) return;
  const pixels = normalise({ data: resizeInPasses(image, xs, ys), width: side, height: side }, { mirror });
  for (let y = 0; y < side; y++) out.set(pixels.subarray(3 * side * y, 3 * side * (y + 1)), stride * y);
}

/** Bytes to normalised float32 `[height, width, 3]`; `mirror` swaps left and right on the way. */
export function normalise(image: Rgb, { mirror = false }: { mirror?: boolean } = {}): Float32Array {
  const { data, width, height } = image;
  const table = tables();
  const out = new Float32Array(data.length);
  const step = mirror ? -6 : 0;
  let at = 0;
  for (let y = 0; y < height; y++) {
    let from = 3 * width * y + (mirror ? 3 * (width - 1) : 0);
    for (let x = 0; x < width; x++) {
      out[at++] = table[data[from++]!]!;
      out[at++] = table[256 + data[from++]!]!;
      out[at++] = table[512 + data[from++]!]!;
      from += step;
    }
  }
  return out;
}

/** Bytes of normalised float32 `[height, width, 3]`: what `normalise` began with. */
export function denormalise(pixels: Float32Array, { width, height }: { width: number; height: number }): Rgb {
  const { mean, std } = IMAGENET;
  const data = new Uint8ClampedArray(pixels.length); // it rounds
  for (let i = 0; i < pixels.length; i++) data[i] = 255 * (pixels[i]! * std[i % 3]! + mean[i % 3]!);
  return { data: new Uint8Array(data.buffer), width, height };
}

let cached: Float32Array | undefined;

/** `(v / 255 - mean) / std` of every byte, channel by channel, each operation rounded to float32 as the reference's tensors are. */
function tables(): Float32Array {
  const round = Math.fround;
  const { mean, std } = IMAGENET;
  cached ??= Float32Array.from({ length: 3 * 256 }, (_, i) => {
    const c = i >> 8;
    return round(round(round((i & 255) / 255) - round(mean[c]!)) / round(std[c]!));
  });
  return cached;
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
