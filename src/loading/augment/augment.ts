// The random changes to training images, in their order: the reference's default pipeline in square mode.

import type { Rng } from "../../util/random/rng.ts";
import { horizontalFlip } from "./horizontalFlip.ts";
import { scaleJitter } from "./scaleJitter.ts";
import { type Change, type Size, type Step, sizeAfter } from "./step.ts";

/** The order decides which random numbers a step draws: a new one goes to the end, so that old seeds keep their images. */
const STEPS = [scaleJitter, horizontalFlip] as const;

/** The settings of all steps, under the keys of the recipe's `data.augment`. */
export type Augment = (typeof STEPS)[number]["draw"] extends (rng: Rng, size: Size, settings: infer All) => unknown
  ? All
  : never;

/** Draw what to do to an image of this size, step by step. */
export function drawChanges(rng: Rng, size: Size, augment: Augment): Change[] {
  const changes: Change[] = [];
  let now = size;
  for (const { draw } of STEPS as readonly Step<Augment>[]) {
    const change = draw(rng, now, augment);
    if (!change) continue;
    changes.push(change);
    now = sizeAfter(change, now);
  }
  return changes;
}
