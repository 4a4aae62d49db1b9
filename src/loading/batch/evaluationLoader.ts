// The batches of an evaluation: every image of a split once, in order, resized as in training and not changed otherwise.

import type { Split } from "../../data/dataset/sample.ts";
import { createLoader, type Loader, type LoaderShare } from "./loader.ts";

/** `resolution`: side of the images in pixels. `batchSize`: default 1. `workers`: threads that prepare them, default 1. `mostBroken`: images that may
 * be left out because they cannot be read, default none. `share`: this worker's batches only. `masks`: whether targets have the pixels of masks, default not. */
export function evaluationLoader(
  split: Split,
  {
    resolution,
    batchSize = 1,
    workers = 1,
    mostBroken = 0,
    masks = false,
    share,
  }: {
    resolution: number;
    batchSize?: number;
    workers?: number;
    mostBroken?: number;
    masks?: boolean;
    share?: LoaderShare | undefined;
  },
): Loader {
  const common = { split, resolution, batchSize, workers, mostBroken, masks, share };
  return createLoader({ ...common, seed: 0, augment: null, training: false });
}
