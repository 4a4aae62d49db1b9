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
  /** Images without objects, and the largest share of an epoch's images that they may be; default: they are as all others. */
  negatives?: { images: readonly number[]; share: number } | undefined;
};

type Counted = Pick<OrderOptions, "length" | "negatives">;

/** So many different images an epoch shows: those without objects beyond their share are left out. */
export function imagesOfEpoch({ length, negatives }: Counted): number {
  if (!negatives || negatives.share >= 1) return length;
  const { images, share } = negatives;
  const others = length - images.length;
  return others === 0 ? length : others + Math.min(images.length, wholes((share / (1 - share)) * others));
}

/** Rounded down, but not for what rounding took. */
function wholes(value: number): number {
  return Math.floor(value + 1e-9);
}

/** Number of images an epoch shows: always a multiple of `batchSize * gradAccumSteps`. */
export function epochLength({
  batchSize,
  gradAccumSteps,
  ...images
}: Counted & Pick<OrderOptions, "batchSize" | "gradAccumSteps">): number {
  const effective = batchSize * gradAccumSteps;
  return Math.max(MIN_STEPS, Math.ceil(imagesOfEpoch(images) / effective)) * effective;
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
 * weights an epoch is as long as without, and shows each image as often as its weight says, rounded up or down at random. Images without objects
 * that are more than their share take turns: an epoch shows some of them, another one others.
 */
export function epochOrder(seed: number, epoch: number, options: OrderOptions): number[] {
  const { length, batchSize, gradAccumSteps, shuffle, weights } = options;
  const total = epochLength(options);
  if (imagesOfEpoch(options) < length) return fewNegatives({ seed, epoch }, options, total);
  if (weights) return weightedOrder(rngFromSeed(seed, epoch), weights, { total, shuffle });
  if (!shuffle) return Array.from({ length: total }, (_, i) => i % length);
  const rng = rngFromSeed(seed, epoch);
  if (length < MIN_STEPS * batchSize * gradAccumSteps) return Array.from({ length: total }, () => rng.int(length));
  return rng.shuffle(Array.from({ length: total }, (_, i) => (i < length ? i : rng.int(length))));
}

/** The other images as often as they would be shown alone, and as many without objects, the next ones in turn, as their share allows. */
function fewNegatives(
  { seed, epoch }: { seed: number; epoch: number },
  { length, shuffle, weights, negatives }: OrderOptions,
  total: number,
): number[] {
  const { images, share } = negatives!;
  const without = new Set(images);
  const others = Array.from({ length }, (_, i) => i).filter((i) => !without.has(i));
  const rng = rngFromSeed(seed, epoch);
  const turns = rngFromSeed(seed).shuffle([...images]);
  const most = Math.min(images.length, wholes(share * total));
  const taken = Array.from({ length: most }, (_, i) => turns[(epoch * most + i) % turns.length]!);
  const room = total - taken.length;
  const shown = weights
    ? weightedOrder(rng, others.map((i) => weights[i]!), { total: room, shuffle: false }).map((i) => others[i]!) // biome-ignore format: one line
    : Array.from({ length: room }, (_, i) => others[i] ?? others[rng.int(others.length)]!);
  const order = [...shown, ...taken];
  return shuffle ? rng.shuffle(order) : order.sort((a, b) => a - b);
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
