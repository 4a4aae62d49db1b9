// Which image comes when: a pure function of seed and epoch, with the reference's padding (`training/module_data.py`).

import { type Rng, rngFromSeed } from "../../util/random/rng.ts";

/** Fewer optimizer steps than this an epoch, and the images are drawn with replacement to make as many. */
const MIN_STEPS = 5;

export type OrderOptions = {
  /** Number of images. */
  length: number;
  batchSize: number;
  gradAccumSteps: number;
  shuffle: boolean;
  /** How often to show each image relative to the others; default: all alike. */
  weights?: readonly number[] | undefined;
};

/** Number of images an epoch shows: always a multiple of `batchSize * gradAccumSteps`. */
export function epochLength({
  length,
  batchSize,
  gradAccumSteps,
}: Pick<OrderOptions, "length" | "batchSize" | "gradAccumSteps">): number {
  const effective = batchSize * gradAccumSteps;
  return Math.max(MIN_STEPS, Math.ceil(length / effective)) * effective;
}

/** What an epoch shows, where that is more than there is; for people. */
export function describePadding(shown: number, images: number): string[] {
  if (images === 0 || shown <= images) return [];
  const what = shown < 1.5 * images ? `${shown - images} of the ${images} twice, to fill the last step` : `each of the ${images} about ${Math.round(shown / images)} times, as an epoch has ${MIN_STEPS} steps or more`; // biome-ignore format: one line
  return [`An epoch shows ${shown} images: ${what}`];
}

/**
 * Image indices of a training epoch. Shuffled: every image once, padded with random repeats to whole optimizer steps; a
 * set too small for MIN_STEPS is drawn from with replacement. Not shuffled: in order, starting again at the end. With
 * weights an epoch is as long as without, and shows each image as often as its weight says, rounded up or down at random.
 */
export function epochOrder(seed: number, epoch: number, options: OrderOptions): number[] {
  const { length, batchSize, gradAccumSteps, shuffle, weights } = options;
  const total = epochLength(options);
  if (weights) return weightedOrder(rngFromSeed(seed, epoch), weights, { total, shuffle });
  if (!shuffle) return Array.from({ length: total }, (_, i) => i % length);
  const rng = rngFromSeed(seed, epoch);
  if (length < MIN_STEPS * batchSize * gradAccumSteps) return Array.from({ length: total }, () => rng.int(length));
  return rng.shuffle(Array.from({ length: total }, (_, i) => (i < length ? i : rng.int(length))));
}

/** One random offset and equal steps through the weights of the images in random order. */
function weightedOrder(
  rng: Rng,
  weights: readonly number[],
  { total, shuffle }: { total: number; shuffle: boolean },
): number[] {
  const images = rng.shuffle(weights.map((_, i) => i));
  const scale = total / weights.reduce((sum, weight) => sum + weight, 0);
  const order: number[] = [];
  let sum = rng.uniform();
  for (const image of images) {
    sum += weights[image]! * scale;
    while (order.length + 1 <= sum && order.length < total) order.push(image);
  }
  while (order.length < total) order.push(images.at(-1)!); // a sum that rounding left a little short
  return shuffle ? rng.shuffle(order) : order.sort((a, b) => a - b);
}
