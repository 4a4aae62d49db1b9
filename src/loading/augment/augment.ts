// The random changes to training images, in their order.

import { PRESETS, type PresetName } from "./presets.ts";
import type { AugmentStep } from "./settings.ts";

/** The recipe's `data.augment`: a preset's name, the keys of the default one, or a list of steps. */
export type Augment = PresetName | { horizontal_flip: number; scale_jitter: boolean } | readonly AugmentStep[];

/** The steps, in their order. */
export function stepsOf(augment: Augment): readonly AugmentStep[] {
  if (typeof augment === "string") return PRESETS[augment];
  if (!("horizontal_flip" in augment)) return augment;
  const { scale_jitter: jitter, horizontal_flip: p } = augment;
  return [...(jitter ? [{ name: "scale_jitter", p: 0.5 } as const] : []), { name: "horizontal_flip", p }];
}
