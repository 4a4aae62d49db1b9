// The random changes to training images, in their order.

import type { PixelBoxes } from "../../data/dataset/sample.ts";
import type { Rng } from "../../util/random/rng.ts";
import { changeBoxes } from "./apply.ts";
import { PRESETS, type PresetName } from "./presets.ts";
import type { AugmentStep } from "./settings.ts";
import { type Change, type Size, sizeAfter } from "./step.ts";
import { drawStep, worksOn } from "./steps.ts";

/** The recipe's `data.augment`: a preset's name, the keys of the default one, or a list of steps. */
export type Augment = PresetName | { horizontal_flip: number; scale_jitter: boolean } | readonly AugmentStep[];

/** The steps, in their order. */
export function stepsOf(augment: Augment): readonly AugmentStep[] {
  if (typeof augment === "string") return PRESETS[augment];
  if (!("horizontal_flip" in augment)) return augment;
  const { scale_jitter: jitter, horizontal_flip: p } = augment;
  return [...(jitter ? [{ name: "scale_jitter", p: 0.5 } as const] : []), { name: "horizontal_flip", p }];
}

/**
 * Draw what to do to an image, step by step. As in the reference, an image is brought to the square of `side` x `side` that the model
 * sees before the first step that is not for the pixels of the file. `boxes`: in pixels of the image, whose size they may take for another one
 * than `size` (`frame`, by default the same).
 */
export function drawChanges(
  rng: Rng,
  size: Size,
  { augment, side, boxes, frame = size }: { augment: Augment; side: number; boxes: PixelBoxes; frame?: Size },
): Change[] {
  const changes: Change[] = [];
  const square = { width: side, height: side };
  let now = size;
  let [due, done] = [false, false];
  const seen = () => {
    const changed = changeBoxes(boxes, frame, changes);
    return { boxes: changed.boxes.boxes, frame: changed.frame };
  };
  for (const settings of stepsOf(augment)) {
    if (worksOn(settings) === "square" && !due) [due, now] = [true, square];
    const change = drawStep(rng, settings, { size: now, seen });
    if (!change) continue;
    if (due && !done && worksOn(settings) !== "either") {
      changes.push({ resize: square });
      done = true;
    }
    changes.push(change);
    now = sizeAfter(change, now);
  }
  return changes;
}
