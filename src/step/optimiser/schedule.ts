// Learning-rate schedules: linear warm-up, then constant, step or cosine, by optimizer step.
// Source: _build_managed_scheduler in training/module_model.py of rfdetr.

import type { Recipe } from "../../recipe/schema.ts";

export type Schedule = {
  name: "constant" | "step" | "cosine";
  warmupEpochs: number;
  /** Cosine: the factor at the end of the run. */
  minFactor: number;
  /** Step: the epoch from which the factor is 0.1. */
  lrDrop: number;
};

/** The schedule that a recipe asks for. */
export function scheduleFrom({ name, warmup_epochs, min_factor, lr_drop }: Recipe["train"]["schedule"]): Schedule {
  return { name, warmupEpochs: warmup_epochs, minFactor: min_factor, lrDrop: lr_drop };
}

/** Length of a run in optimizer steps. */
export type RunLength = { epochs: number; stepsPerEpoch: number };

/**
 * Factor on every learning rate for the update that follows `stepsDone` updates. The first update of a warm-up has the
 * factor 0, as the reference's. A last, shorter accumulation window counts as a step: `stepsPerEpoch` is rounded up.
 */
export function scheduleFactor(schedule: Schedule, stepsDone: number, { epochs, stepsPerEpoch }: RunLength): number {
  const total = epochs * stepsPerEpoch;
  const perEpoch = Math.max(1, stepsPerEpoch);
  const warmup = Math.floor(perEpoch * schedule.warmupEpochs);
  if (stepsDone < warmup) return stepsDone / warmup;
  if (schedule.name === "constant") return 1;
  if (schedule.name === "step") return stepsDone < schedule.lrDrop * perEpoch ? 1 : 0.1;
  const progress = (stepsDone - warmup) / Math.max(1, total - warmup);
  return schedule.minFactor + (1 - schedule.minFactor) * 0.5 * (1 + Math.cos(Math.PI * progress));
}
