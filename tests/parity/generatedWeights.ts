// Weights and images that TypeScript and Python make alike, to the bit, from a name and a seed.
// The twin of this file is scripts/fixtures/parity/generated.py; change both or neither.

import { fromFloat32, type StateDict, size } from "../../src/util/hostTensor.ts";

const GOLDEN = 0x9e3779b9;
const SQRT3 = 1.7320508075688772;

/**
 * How a weight is drawn, by the first pattern that its name fits: the standard deviation, or a gain over the square
 * root of the inputs (the elements of one row). A mean with several values repeats along the tensor.
 */
const RULES: [pattern: RegExp, kind: "std" | "gain", spread: number, mean: number[]][] = [
  [/position_embeddings$/, "std", 0.3, [0]],
  [/cls_token$|mask_token$/, "std", 0.5, [0]],
  [/lambda1$/, "std", 0.17, [0.5]],
  [/sampling_offsets\.weight$/, "gain", 0.5, [0]],
  [/sampling_offsets\.bias$/, "std", 1, [0]],
  [/attention_weights\.weight$/, "gain", 1, [0]],
  [/attention_weights\.bias$/, "std", 0.1, [0]],
  [/class_embed.*weight$/, "gain", 1.2, [0]],
  [/class_embed.*bias$/, "std", 0.3, [-2]],
  [/bbox_embed.*layers\.2\.weight$/, "gain", 0.8, [0]],
  [/bbox_embed.*layers\.2\.bias$/, "std", 0.1, [0, 0, 0.9, 0.9]],
  [/bbox_embed.*weight$/, "gain", 1.4, [0]],
  [/refpoint_embed\.weight$/, "std", 0.15, [0]],
  [/query_feat\.weight$/, "std", 0.7, [0]],
  [/patch_embeddings.*weight$/, "gain", 1, [0]],
  [/(norm\w*|bn|stages\.\d+\.1|enc_output_norm\.\d+)\.weight$/, "std", 0.1, [1]],
  [/features_proj\.weight$/, "gain", 0.5, [0]],
  [/encoder\.encoder\..*weight$/, "gain", 1.3, [0]],
  [/projector\..*weight$/, "gain", 1.4, [0]],
  [/bias$/, "std", 0.05, [0]],
  [/(?:)/, "gain", 1, [0]],
];

/** The finaliser of MurmurHash3: an unsigned 32-bit integer from another. */
function finalise(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Where the stream of this name and seed begins: FNV-1a of the name, mixed with the seed. */
function start(name: string, seed: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return finalise((h + Math.imul(seed, 0x85ebca6b)) | 0);
}

/** Element i of the stream that begins at `h`, in [-1, 1). */
function uniform(h: number, i: number): number {
  return (finalise((h + Math.imul(i, GOLDEN)) | 0) >>> 8) / 8388608 - 1;
}

/** One generated tensor, row-major. */
export function generatedTensor(name: string, shape: readonly number[], seed: number): Float32Array {
  const out = new Float32Array(size(shape));
  const [, kind, spread, mean] = RULES.find(([pattern]) => pattern.test(name))!;
  const scale = (kind === "std" ? spread : spread / Math.sqrt(out.length / shape[0]!)) * SQRT3;
  const h = start(name, seed);
  for (let i = 0; i < out.length; i++) out[i] = mean[i % mean.length]! + scale * uniform(h, i);
  return out;
}

/** Generated weights for a list of names and shapes; a name without elements becomes an empty BOOL tensor. */
export function generatedWeights(keys: { name: string; shape: number[] }[], seed: number): StateDict {
  return new Map(
    keys.map(({ name, shape }) => [
      name,
      size(shape) === 0
        ? { dtype: "BOOL" as const, shape, bytes: new Uint8Array(0) }
        : fromFloat32(generatedTensor(name, shape, seed), shape),
    ]),
  );
}

export type ImageSpec = {
  seed: number;
  batch: number;
  size: [height: number, width: number];
  /** Each image's own size; what lies beyond is padding. */
  sizes?: [height: number, width: number][] | null;
};

/** Smooth images with some grain, [batch, 3, height, width]; outside an image's own size, zero. */
export function generatedImages(name: string, { seed, batch, size: [height, width], sizes }: ImageSpec): Float32Array {
  const total = new Float64Array(batch * 3 * height * width);
  const grain = start(`${name}.grain`, seed);
  for (let i = 0; i < total.length; i++) total[i] = 0.4 * uniform(grain, i);
  for (const [cell, amplitude] of [
    [32, 2],
    [8, 1],
  ] as const) {
    const h = start(`${name}.${cell}`, seed);
    const rows = Math.floor(height / cell) + 2;
    const columns = Math.floor(width / cell) + 2;
    for (let i = 0; i < total.length; i++) {
      const x = (i % width) / cell;
      const y = (Math.floor(i / width) % height) / cell;
      const left = Math.floor(x);
      const corner = (Math.floor(i / (width * height)) * rows + Math.floor(y)) * columns + left;
      const lerp = (at: number) => {
        const from = uniform(h, at);
        return from + (uniform(h, at + 1) - from) * (x - left);
      };
      const a = lerp(corner);
      const b = lerp(corner + columns);
      total[i] = total[i]! + amplitude * (a + (b - a) * (y - Math.floor(y)));
    }
  }
  const out = Float32Array.from(total);
  for (let i = 0; sizes && i < out.length; i++) {
    const [h, w] = sizes[Math.floor(i / (3 * height * width))]!;
    if (Math.floor(i / width) % height >= h || i % width >= w) out[i] = 0;
  }
  return out;
}

/** Of normalised cxcywh boxes [n, 4], ellipses with a piece bitten out: [n, height, width], 0 or 1. */
export function generatedMasks(boxes: Float32Array, [height, width]: readonly [number, number]): Uint8Array {
  return Uint8Array.from({ length: (boxes.length / 4) * height * width }, (_, i) => {
    const [cx, cy, w, h] = boxes.subarray(4 * Math.floor(i / (height * width))) as unknown as [number, number, number, number]; // biome-ignore format: one line
    const u = (((i % width) + 0.5) / width - cx) / (w / 2);
    const v = (((Math.floor(i / width) % height) + 0.5) / height - cy) / (h / 2);
    return u * u + v * v <= 1 && (u - 0.6) * (u - 0.6) + (v - 0.3) * (v - 0.3) > 0.16 ? 1 : 0;
  });
}

/** The numbers of a random draw of a step, from 0 to 1. */
export function generatedDraw(step: number, draw: number, count: number): Float32Array {
  const h = start(`points.${step}.${draw}`, 0);
  return Float32Array.from({ length: count }, (_, i) => (uniform(h, i) + 1) / 2);
}

/** Sum of the bit patterns of an array, each times its odd-numbered place, modulo 2^32. */
export function checksum(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let sum = 0;
  for (let i = 0; i < bits.length; i++) sum = (sum + Math.imul(bits[i]!, 2 * i + 1)) | 0;
  return sum >>> 0;
}

export const SAMPLES = 64;
export const PROJECTIONS = 8;

export type Digest = { samples: Float32Array; norm: number; sums: Float64Array };

/** What the fixtures keep of a large tensor: norm, some elements, and its sums under eight random choices of signs. */
export function digest(values: Float32Array): Digest {
  const n = values.length;
  const samples = Float32Array.from(
    { length: Math.min(n, SAMPLES) },
    (_, k) => values[n <= SAMPLES ? k : finalise((Math.imul(k, GOLDEN) + n) | 0) % n]!,
  );
  const sums = new Float64Array(PROJECTIONS);
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const x = values[i]!;
    squares += x * x;
    const bits = finalise(Math.imul(i, GOLDEN));
    for (let b = 0; b < PROJECTIONS; b++) sums[b] = sums[b]! + ((bits >>> b) & 1 ? -x : x);
  }
  return { samples, norm: Math.sqrt(squares), sums };
}
