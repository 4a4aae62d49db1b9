// Which image comes when: a pure function of seed and epoch, with the reference's padding (`training/module_data.py`).

import { rngFromSeed } from "../util/rng.ts";

/** Fewer optimizer steps than this an epoch, and the images are drawn with replacement to make as many. */
export const MIN_STEPS = 5;

export type OrderOptions = {
  /** Number of images. */
  length: number;
  batchSize: number;
  gradAccumSteps: number;
  shuffle: boolean;
};

/** Number of images an epoch shows: always a multiple of `batchSize * gradAccumSteps`. */
export function epochLength({ length, batchSize, gradAccumSteps }: OrderOptions): number {
  const effective = batchSize * gradAccumSteps;
  return Math.max(MIN_STEPS, Math.ceil(length / effective)) * effective;
}

/**
 * Image indices of a training epoch. Shuffled: every image once, padded with random repeats to whole optimizer steps; a
 * set too small for MIN_STEPS is drawn from with replacement. Not shuffled: in order, starting again at the end.
 */
export function epochOrder(seed: number, epoch: number, options: OrderOptions): number[] {
  const { length, batchSize, gradAccumSteps, shuffle } = options;
  const total = epochLength(options);
  if (!shuffle) return Array.from({ length: total }, (_, i) => i % length);
  const rng = rngFromSeed(seed, epoch);
  if (length < MIN_STEPS * batchSize * gradAccumSteps) return Array.from({ length: total }, () => rng.int(length));
  return rng.shuffle(Array.from({ length: total }, (_, i) => (i < length ? i : rng.int(length))));
}
