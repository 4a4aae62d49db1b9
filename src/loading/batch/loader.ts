// Batches of prepared images, in an order and with contents that do not depend on threads or timing.

import { setMaxListeners } from "node:events";
import type { Sample, Split } from "../../data/dataset/sample.ts";
import { UserError } from "../../util/errors.ts";
import { type Rng, rngFromSeed } from "../../util/random/rng.ts";
import { createThreadPool, type ThreadPool } from "../../util/threads/threadPool.ts";
import { type Augment, stepsOf } from "../augment/augment.ts";
import { isStrong } from "../augment/steps.ts";
import { orderPlan } from "../order/plan.ts";
import { type Batch, type BrokenImage, spareMemory } from "./batch.ts";
import { choosePartners, requireMasks, usesMasks } from "./partners.ts";
import { type ImageTask, prepare } from "./prepare.ts";
import { readBatch } from "./readBatch.ts";
import type { Resampling } from "./resample.ts";
import { epochLength, epochOrder } from "./sampler.ts";

export type LoaderOptions = {
  split: Split;
  batchSize: number;
  /** Side of the square images, in pixels; a function gives a batch its own (the same for the same epoch and batch). */
  resolution: number | ((epoch: number, batch: number) => number);
  /** Each image gets one of these sides, at random, in place of `resolution`; a batch is padded to its largest. */
  sides?: readonly number[] | undefined;
  /** Whether targets have masks and keypoints, for a model that learns from them; polygons can be many. Default false. */
  shapes?: boolean;
  /** Whether targets have the pixels of masks, for a segmenter. Default false. */
  masks?: boolean;
  /** Threads, and batches prepared ahead; 0 prepares in the calling thread when asked. */
  workers: number;
  seed: number;
  /** Null: only resize. */
  augment: Augment | null;
  /** Epoch from which on the strong ones of the augmentations are left out. Default: none. */
  mildFrom?: number | undefined;
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
  /** Training only: largest share of an epoch's images that are without boxes. Default: all are shown. */
  negatives?: number | undefined;
  /** Only some of the batches, the others being other workers'. Default: all. */
  share?: LoaderShare | undefined;
};

/** Every so many batches in a row go to one worker, the next ones to the next; `rank` is this one's place among `of`. */
export type LoaderShare = { rank: number; of: number; run: number };

export type Loader = {
  /** Batches an epoch, those of other workers left out. */
  batches: number;
  /** The batches of an epoch, from `fromBatch` on (a resumed run). Throws UserError naming an image that is broken. */
  epoch(epoch: number, options?: { fromBatch?: number }): AsyncGenerator<Batch, void, undefined>;
  /** Batches that are done with: later ones take their memory, so that their images may not be read any more. */
  recycle(batches: readonly Batch[]): void;
  /** End the threads. Iterations that are under way fail. */
  close(): Promise<void>;
};

/** Words beside seed, epoch and place that keep random streams apart. */
const [SIDE, PARTNERS] = [1, 2];

export function createLoader(options: LoaderOptions): Loader {
  const { split, batchSize, training, workers, seed, mostBroken = 0, shapes = false } = options;
  const masks = options.masks ? { rule: split.polygons } : null;
  const { samples } = split;
  const { gradAccumSteps = 1, shuffle = true, resample, negatives } = options;
  const sampling = { ...(training && { resample, negatives }) };
  const orderOptions = orderPlan(samples, { batchSize, gradAccumSteps, shuffle, ...sampling });
  const placeOf = placesOf(options.share);
  const all = Math.ceil((training ? epochLength(orderOptions) : samples.length) / batchSize);
  const batches = countOf((index) => placeOf(index) < all);
  const { steps, mild } = stepsFor(options);
  const wanted = shapes || masks || usesMasks(steps) ? (sample: Sample) => sample : boxesOf;
  const pool = preparers(workers);
  const spare = spareMemory({ most: workers + 1 });

  /** The side of the image at a place of an epoch. */
  const sideAt = (epoch: number, place: number): number => {
    const { sides, resolution } = options;
    if (sides) return sides[rngFromSeed(seed, epoch, place, SIDE).int(sides.length)]!;
    return typeof resolution === "function" ? resolution(epoch, Math.floor(place / batchSize)) : resolution;
  };

  const load = (epoch: number, index: number, order: readonly number[], signal: AbortSignal) => {
    const start = index * batchSize;
    const places = order.slice(start, start + batchSize).map((_, i) => start + i);
    const sampleAt = (place: number) => wanted(samples[order[place % order.length]!]!);
    const now = epoch >= (options.mildFrom ?? Number.POSITIVE_INFINITY) ? mild : steps;
    const own = places.map(sampleAt);
    const any = (rng: Rng) => sampleAt(rng.int(order.length));
    const tasks = places.map((place, i): ImageTask => {
      const [sample, mates] = [own[i]!, own.filter((_, k) => k !== i)];
      const partners = choosePartners(rngFromSeed(seed, epoch, place, PARTNERS), now, { mates, any });
      return { sample, side: sideAt(epoch, place), words: [seed, epoch, place], partners };
    });
    const most = training ? Math.min(mostBroken, order.length - 1) : 0;
    return readBatch(tasks, {
      prepare: (images) => {
        const side = Math.max(...images.map((image) => image.side));
        const memory = spare.take(images.length * 3 * side * side);
        const task = { images, reading: split.reading, augment: now.length > 0 ? now : null, shapes, masks, memory };
        return pool.run(task, { signal, transfer: memory ? [memory] : [] });
      },
      // the next one of the order that can be read
      replacement: (i, n) => (n <= most ? sampleAt(places[i]! + n) : undefined),
      leaveOut: !training && mostBroken > 0,
    });
  };

  const refuseTooMany = brokenLimit(split.name, mostBroken);
  return {
    batches,
    async *epoch(epoch, { fromBatch = 0 } = {}) {
      const order = training ? epochOrder(seed, epoch, orderOptions) : samples.map((_, i) => i);
      const ahead: Promise<Omit<Batch, "wait">>[] = [];
      const stop = new AbortController();
      setMaxListeners(0, stop.signal); // one listener a batch under way
      let next = fromBatch;
      try {
        for (let index = fromBatch; index < batches; index++) {
          while (next < batches && next <= index + workers) {
            const batch = load(epoch, placeOf(next++), order, stop.signal);
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
    recycle: (done) => {
      for (const { images } of done) spare.give(images);
    },
    close: () => pool.close(),
  };
}

/** The place among all batches of the epoch, by that among one's own. */
function placesOf({ rank, of, run }: LoaderShare = { rank: 0, of: 1, run: 1 }): (index: number) => number {
  return (index) => (Math.floor(index / run) * of + rank) * run + (index % run);
}

/** The first whole number from 0 of which something does not hold. */
function countOf(holds: (index: number) => boolean): number {
  let count = 0;
  while (holds(count)) count++;
  return count;
}

/** The steps of most epochs, and those of the last ones. Throws a UserError where the split has not what they need. */
function stepsFor({ augment, split }: Pick<LoaderOptions, "augment" | "split">) {
  const steps = augment ? stepsOf(augment) : [];
  requireMasks(steps, split);
  return { steps, mild: steps.filter((step) => !isStrong(step)) };
}

/** Throws once more than so many different images of a split have turned out to be broken. */
function brokenLimit(split: string, most: number): (broken: readonly BrokenImage[]) => void {
  const seen = new Set<number>();
  return (broken) => {
    for (const { imageId } of broken) seen.add(imageId);
    if (seen.size <= most) return;
    throw new UserError(
      `More than ${most} images of ${split} cannot be read. The last one: ${broken.at(-1)!.message}`,
      {
        hint: "Repair them or take them out of the annotations: rfdetr-train check lists all. data.max_broken is how many are put up with.",
      },
    );
  };
}

/** Threads that prepare images, so that the calling thread never waits for pixels; with 0 it prepares them itself. */
function preparers(threads: number): ThreadPool<typeof prepare> {
  if (threads === 0) return { run: prepare, close: async () => {} };
  return createThreadPool({ module: "prepareThread", from: import.meta.url, threads, name: "An image thread" });
}

/** A sample without masks and keypoints, which a thread need not be sent where targets have none. */
function boxesOf(sample: Sample): Sample {
  return { ...sample, annotations: sample.annotations.map(({ mask: _, keypoints: __, ...annotation }) => annotation) };
}
