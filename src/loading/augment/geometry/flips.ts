// Mirroring and turns by right angles, which move whole pixels.

import type { GeometryStep } from "../step.ts";

/** The probability of it. */
type Settings = { p: number };

export const horizontalFlip: GeometryStep<Settings> = {
  on: "either",
  draw: (rng, _, { p }) => (rng.uniform() < p ? { mirror: true } : null),
};

export const verticalFlip: GeometryStep<Settings> = {
  on: "square",
  draw: (rng, _, { p }) => (rng.uniform() < p ? { upsideDown: true } : null),
};

export const transposition: GeometryStep<Settings> = {
  on: "square",
  draw: (rng, _, { p }) => (rng.uniform() < p ? { transpose: true } : null),
};

/** None to three quarter turns, each as likely. */
export const quarterTurns: GeometryStep<Settings> = {
  on: "square",
  draw(rng, _, { p }) {
    const done = rng.uniform() < p;
    const turns = rng.int(4);
    if (!done || turns === 0) return null;
    if (turns === 1) return { transpose: true, upsideDown: true };
    return turns === 2 ? { upsideDown: true, mirror: true } : { transpose: true, mirror: true };
  },
};
