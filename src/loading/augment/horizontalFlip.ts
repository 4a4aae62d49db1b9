// Mirroring left and right.

import type { Step } from "./step.ts";

/** The probability of it. */
type Settings = { horizontal_flip: number };

export const horizontalFlip: Step<Settings> = {
  name: "horizontal_flip",
  draw: (rng, _, settings) => (rng.uniform() < settings.horizontal_flip ? { mirror: true } : null),
};
