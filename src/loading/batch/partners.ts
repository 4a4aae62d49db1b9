// Which other images the augmentations of an image may take, and what they need of all of them.

import type { Sample, Split } from "../../data/dataset/sample.ts";
import { UserError } from "../../util/errors.ts";
import type { Rng } from "../../util/random/rng.ts";
import { partnersFor } from "../augment/many/layers.ts";
import type { AugmentStep } from "../augment/settings.ts";
import { isWarp } from "../augment/steps.ts";

/** Partners are others of the batch, so that no file is read for them, where there are at least so many. */
const MATES = 3;

/** `mates`: the others of the batch; `any` draws one of all images. */
export function choosePartners(
  rng: Rng,
  steps: readonly AugmentStep[],
  { mates, any }: { mates: readonly Sample[]; any: (rng: Rng) => Sample },
): Sample[] {
  return Array.from({ length: partnersFor(steps) }, () => {
    return mates.length >= MATES ? mates[rng.int(mates.length)]! : any(rng);
  });
}

/** Whether a detector's images need their masks: a turned box is that around its turned mask, and a mask is what is pasted. */
export function usesMasks(steps: readonly AugmentStep[]): boolean {
  return steps.some((step) => isWarp(step) || step.name === "copy_paste");
}

/** Throws a UserError where objects are to be pasted and none has a mask. */
export function requireMasks(steps: readonly AugmentStep[], { name, samples }: Split): void {
  if (!steps.some((step) => step.name === "copy_paste")) return;
  if (samples.some(({ annotations }) => annotations.some(({ mask, crowd }) => mask && !crowd))) return;
  throw new UserError(`data.augment has copy_paste, but no object of ${name} has a mask.`, {
    hint: "Leave copy_paste out: what is pasted is cut out by its mask. mosaic and mixup need none.",
  });
}
