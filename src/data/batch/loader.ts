// Batches of prepared images, in an order and with contents that do not depend on threads or timing.

import { setMaxListeners } from "node:events";
import type { Target } from "../../instance/instance.ts";
import { UserError } from "../../util/errors.ts";
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
  /** Images that could not be read: another one of the order was taken for each in training, none in evaluation. */
  broken: BrokenImage[];
  /** Seconds that the consumer waited for this batch. */
  wait: number;
};

/** `message` names the file and what is wrong with it. */
export type BrokenImage = { imageId: number; message: string };

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
  /** So many different images may be broken before iterating throws. Default 0. */
  mostBroken?: number;
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

type ReadOptions = { side: number; words: [seed: number, ...rest: number[]]; signal: AbortSignal };

/** Words beside seed, epoch and place that keep random streams apart. */
const SIDE = 1;

export function createLoader(options: LoaderOptions): Loader {
  const { split, batchSize, training, workers, seed, augment, mostBroken = 0, shapes = false } = options;
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

  /** The image at a place, or where it is broken the next one that can be read: none but itself in an evaluation. */
  const read = async (place: number, order: readonly number[], { side, words, signal }: ReadOptions) => {
    const broken: BrokenImage[] = [];
    for (let further = 0; ; further++) {
      const sample = samples[order[(place + further) % order.length]!]!;
      const task = { sample: shapes ? sample : boxesOf(sample), reading: split.reading, augment, shapes, words };
      try {
        return { sample, prepared: await pool.run({ ...task, resolution: side }, { signal }), broken };
      } catch (cause) {
        if (!(cause instanceof UserError) || mostBroken === 0) throw cause;
        broken.push({ imageId: sample.imageId, message: cause.message });
        if (!training) return { sample, prepared: undefined, broken };
        if (further >= Math.min(mostBroken, order.length - 1)) throw cause;
      }
    }
  };

  const load = async (epoch: number, index: number, order: readonly number[], signal: AbortSignal) => {
    const start = index * batchSize;
    const places = order.slice(start, start + batchSize).map((_, i) => start + i);
    const sides = places.map((place) => sideAt(epoch, place));
    const side = Math.max(...sides);
    const images = new Float32Array(places.length * side * side * 3);
    const put = ({ pixels }: Prepared, i: number) => {
      const [own, first] = [3 * sides[i]!, i * side * side * 3];
      if (own === 3 * side) images.set(pixels, first);
      else
        for (let y = 0; y < sides[i]!; y++) images.set(pixels.subarray(y * own, (y + 1) * own), first + y * side * 3);
    };
    const parts = await Promise.all(
      places.map(async (place, i) => {
        const { sample, prepared, broken } = await read(place, order, {
          side: sides[i]!,
          words: [seed, epoch, place],
          signal,
        });
        if (prepared) put(prepared, i);
        const originalSize: [number, number] | null = prepared ? [prepared.height, prepared.width] : null;
        return { sample, target: prepared?.target, originalSize, broken };
      }),
    );
    const kept = parts.flatMap(({ sample, target, originalSize }, i) =>
      target && originalSize ? [{ i, sample, target, originalSize }] : [],
    );
    const own = side * side * 3;
    for (const [to, { i }] of kept.entries()) if (to !== i) images.copyWithin(to * own, i * own, (i + 1) * own);
    const mask = sides.some((one) => one < side) ? paddingOf(kept.map(({ i }) => sides[i]!), side) : undefined; // biome-ignore format: one line
    return {
      images: kept.length < parts.length ? images.subarray(0, kept.length * own) : images,
      ...(mask && { mask }),
      shape: [kept.length, side, side, 3] as Batch["shape"],
      targets: kept.map(({ target }) => target),
      imageIds: kept.map(({ sample }) => sample.imageId),
      files: kept.map(({ sample }) => sample.file),
      originalSizes: kept.map(({ originalSize }) => originalSize),
      broken: parts.flatMap(({ broken }) => broken),
    };
  };

  const seenBroken = new Set<number>();
  const refuseTooMany = (broken: readonly BrokenImage[]) => {
    for (const { imageId } of broken) seenBroken.add(imageId);
    if (seenBroken.size <= mostBroken) return;
    throw new UserError(
      `More than ${mostBroken} images of ${split.name} cannot be read. The last one: ${broken.at(-1)!.message}`,
      {
        hint: "Repair them or take them out of the annotations; rfdetr-train check lists all. data.max_broken is how many may be left out.",
      },
    );
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
          refuseTooMany(batch.broken);
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
