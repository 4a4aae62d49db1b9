// The batches of an evaluation: every image of a split once, in order, resized as in training and not changed otherwise.

import type { Split } from "../dataset/sample.ts";
import { createLoader, type Loader } from "./loader.ts";

/** `resolution`: side of the images in pixels. `batchSize`: default 1. `workers`: threads that prepare them, default 1. `mostBroken`: images that may
 * be left out because they cannot be read, default none. */
export function evaluationLoader(
  split: Split,
  {
    resolution,
    batchSize = 1,
    workers = 1,
    mostBroken = 0,
  }: { resolution: number; batchSize?: number; workers?: number; mostBroken?: number },
): Loader {
  return createLoader({ split, resolution, batchSize, workers, seed: 0, augment: null, training: false, mostBroken });
}
