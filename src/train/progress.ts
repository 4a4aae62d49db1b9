// Where a run stands: position, best score and patience, all that changes as it trains besides weights.

import type { Recipe } from "../recipe/schema.ts";
import type { EndStatus, TrainEvent } from "../run/events.ts";
import { selection } from "../run/selection.ts";
import { type EpochSums, NO_STEPS } from "./losses/epochMean.ts";
import type { Patience } from "./record/earlyStopping.ts";

/**
 * Position of a run. The next batch is number `batch` of `epoch`, both from 0; `step` updates are done, and the last
 * `skipped` steps were skipped. All that is random in training is a function of seed, epoch and batch, so this is the
 * state of the random numbers, too.
 */
export type Progress = {
  epoch: number;
  batch: number;
  step: number;
  skipped: number;
  best: { score: number; step: number } | null;
  patience: Patience;
  /** Null in the rest of an epoch whose first steps a version has done that did not sum them up. */
  epochSums: EpochSums | null;
  /** The last step is done, its evaluation is not. */
  unevaluated?: true;
};

/** Where a run begins. */
export const BEGINNING: Progress = {
  ...{ epoch: 0, batch: 0, step: 0, skipped: 0 },
  best: null,
  patience: { score: null, stale: 0 },
  epochSums: NO_STEPS,
};

/** The progress among all that a checkpoint says of its run. */
export function progressOf(state: Progress): Progress {
  const { epoch, batch, step, skipped, best, patience, epochSums, unevaluated } = state;
  return { epoch, batch, step, skipped, best, patience, epochSums, ...(unevaluated && { unevaluated }) };
}

/** The last event of a run. */
export function endOf(
  status: EndStatus,
  { dir, recipe, step, best }: { dir: string; recipe: Recipe } & Pick<Progress, "step" | "best">,
): TrainEvent {
  return { type: "end", status, run: dir, step, best: best?.score ?? null, metric: selection(recipe).metric };
}
