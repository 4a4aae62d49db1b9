// Batches of prepared images, in an order and with contents that do not depend on threads or timing.

import { setMaxListeners } from "node:events";
import type { Target } from "../../instance/instance.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { createThreadPool, type ThreadPool } from "../../util/threads/threadPool.ts";
import type { Augment } from "../augment/augment.ts";
import type { Sample, Split } from "../dataset/sample.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { imageWeights, type Resampling } from "./resample.ts";
import { epochLength, epochOrder } from "./sampler.ts";

/** Images `[batch, height, width, 3]`, normalised, and what belongs to them, all in the same order. */
export type Batch = {
  images: Float32Array;
  /** `[batch, height, width]`, 1 where an image is padding (zeros, right and below); absent where none is. */
  mask?: Uint8Array | undefined;
  shape: [batch: number, height: number, width: number, channels: 3];
  targets: Target[];
  imageIds: number[];
  files: string[];
  /** Of the files, before any resize. */
  originalSizes: [height: number, width: number][];
  /** Seconds that the consumer waited for this batch. */
  wait: number;
};

export type LoaderOptions = {
  split: Split;
  batchSize: number;
  /** Side of the square images, in pixels; a function gives a batch its own (the same for the same epoch and batch). */
  resolution: number | ((epoch: number, batch: number) => number);
  /** Each image gets one of these sides, at random, in place of `resolution`; a batch is padded to its largest. */
  sides?: readonly number[] | undefined;
  /** Whether targets have masks and keypoints, for a model that learns from them; polygons can be many. Default false. */
  shapes?: boolean;
  /** Threads, and batches prepared ahead; 0 prepares in the calling thread when asked. */
  workers: number;
  seed: number;
  /** Null: only resize. */
  augment: Augment | null;
  /** False (evaluation): every image once, in order, the last batch as large as is left. */
  training: boolean;
  /** Training only: an epoch is a multiple of `batchSize * gradAccumSteps`. Default 1. */
  gradAccumSteps?: number;
  /** Training only. Default true. */
  shuffle?: boolean;
  /** Training only: show images of rare classes more often. */
  resample?: Resampling | undefined;
};

export type Loader = {
  /** Batches an epoch. */
  batches: number;
  /** The batches of an epoch, from `fromBatch` on (a resumed run). Throws UserError naming an image that is broken. */
  epoch(epoch: number, options?: { fromBatch?: number }): AsyncGenerator<Batch, void, undefined>;
  /** End the threads. Iterations that are under way fail. */
  close(): Promise<void>;
};

/** Words beside seed, epoch and place that keep random streams apart. */
const SIDE = 1;

export function createLoader(options: LoaderOptions): Loader {
  const { split, batchSize, training, workers, seed, augment, shapes = false } = options;
  const { samples } = split;
  const orderOptions = {
    length: samples.length,
    batchSize,
    gradAccumSteps: options.gradAccumSteps ?? 1,
    shuffle: options.shuffle ?? true,
    weights: training && options.resample ? imageWeights(options.resample, samples) : undefined,
  };
  const batches = Math.ceil((training ? epochLength(orderOptions) : samples.length) / batchSize);
  const pool = preparers(workers);

  /** The side of the image at a place of an epoch. */
  const sideAt = (epoch: number, place: number): number => {
    const { sides, resolution } = options;
    if (sides) return sides[rngFromSeed(seed, epoch, place, SIDE).int(sides.length)]!;
    return typeof resolution === "function" ? resolution(epoch, Math.floor(place / batchSize)) : resolution;
  };

  const load = async (epoch: number, index: number, order: readonly number[], signal: AbortSignal) => {
    const start = index * batchSize;
    const chosen = order.slice(start, start + batchSize).map((i) => samples[i]!);
    const sides = chosen.map((_, i) => sideAt(epoch, start + i));
    const side = Math.max(...sides);
    const images = new Float32Array(chosen.length * side * side * 3);
    const mask = sides.some((own) => own < side) ? paddingOf(sides, side) : undefined;
    const place = (one: Prepared, i: number) => {
      const [own, first] = [3 * sides[i]!, i * side * side * 3];
      if (own === 3 * side) images.set(one.pixels, first);
      else
        for (let y = 0; y < sides[i]!; y++)
          images.set(one.pixels.subarray(y * own, (y + 1) * own), first + y * side * 3);
      return { target: one.target, originalSize: [one.height, one.width] as [number, number] };
    };
    const parts = await Promise.all(
      chosen.map(async (sample, i) => {
        const words: [number, ...number[]] = [seed, epoch, start + i];
        const task = { sample: shapes ? sample : boxesOf(sample), reading: split.reading, augment, shapes, words };
        return place(await pool.run({ ...task, resolution: sides[i]! }, { signal }), i);
      }),
    );
    const shape: Batch["shape"] = [chosen.length, side, side, 3];
    return {
      images,
      ...(mask && { mask }),
      shape,
      targets: parts.map((p) => p.target),
      imageIds: chosen.map((s) => s.imageId),
      files: chosen.map((s) => s.file),
      originalSizes: parts.map((p) => p.originalSize),
    };
  };

  return {
    batches,
    async *epoch(epoch, { fromBatch = 0 } = {}) {
      const order = training ? epochOrder(seed, epoch, orderOptions) : samples.map((_, i) => i);
      const ahead: Promise<Omit<Batch, "wait">>[] = [];
      const stop = new AbortController();
      setMaxListeners(0, stop.signal); // one listener an image under way
      let next = fromBatch;
      try {
        for (let index = fromBatch; index < batches; index++) {
          while (next < batches && next <= index + workers) {
            const batch = load(epoch, next++, order, stop.signal);
            batch.catch(() => {}); // it is thrown when its turn comes, or never if the consumer stops before
            ahead.push(batch);
          }
          const asked = performance.now();
          const batch = await ahead.shift()!;
          yield { ...batch, wait: (performance.now() - asked) / 1000 };
        }
      } finally {
        stop.abort();
      }
    },
    close: () => pool.close(),
  };
}

/** Threads that prepare images, so that the calling thread never waits for pixels; with 0 it prepares them itself. */
function preparers(threads: number): ThreadPool<typeof prepare> {
  if (threads === 0) return { run: prepare, close: async () => {} };
  return createThreadPool({ module: "prepareThread", from: import.meta.url, threads, name: "An image thread" });
}

/** [batch, side, side], 1 outside of each image's own square. */
function paddingOf(sides: readonly number[], side: number): Uint8Array {
  const mask = new Uint8Array(sides.length * side * side);
  for (const [i, own] of sides.entries())
    for (let y = 0; y < side; y++) mask.fill(1, (i * side + y) * side + (y < own ? own : 0), (i * side + y + 1) * side);
  return mask;
}

/** A sample without masks and keypoints, which a thread need not be sent where targets have none. */
function boxesOf(sample: Sample): Sample {
  return { ...sample, annotations: sample.annotations.map(({ mask: _, keypoints: __, ...annotation }) => annotation) };
}
