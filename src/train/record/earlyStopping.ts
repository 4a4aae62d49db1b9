// Early stopping: how long a run waits for a better evaluation, and whether its metric can be measured at all.

import type { ClassEntry, Split } from "../../data/dataset/sample.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { classOfMetric, selection } from "../../run/selection.ts";
import { UserError } from "../../util/errors.ts";

/** State of early stopping: the score to beat, and how many evaluations in a row have not beaten it. */
export type Patience = { score: number | null; stale: number };

/** The state after one more evaluation. A score must beat the one to beat by more than `minDelta`; the first one does. */
export function afterEvaluation(before: Patience, score: number | null, minDelta: number): Patience {
  const better = score !== null && (before.score === null || score > before.score + minDelta);
  return better ? { score, stale: 0 } : { ...before, stale: before.stale + 1 };
}

/** Whether patience has run out. */
export function isExhausted(
  { early_stopping: settings }: Pick<Recipe, "early_stopping">,
  { stale }: Patience,
): boolean {
  return settings !== "none" && stale >= settings.patience;
}

/** Throws a UserError where the recipe names a metric that these validation images can never give. */
export function requireMetric(recipe: Recipe, classes: ClassEntry[], val: Split): void {
  const stops = recipe.early_stopping !== "none";
  if (!stops && recipe.selection.metric === null) return;
  const { metric } = selection(recipe);
  const key = recipe.selection.metric === null ? "early_stopping.metric" : "selection.metric";
  const name = classOfMetric(metric);
  const label = classes.find((one) => one.name === name)?.label;
  if (name !== undefined && label === undefined) {
    throw new UserError(`${key} is ${metric}, but the data set has no class "${name}".`, {
      hint: `Its classes: ${classes.map((one) => one.name).join(", ")}.`,
    });
  }
  const counts = val.samples.some(({ annotations }) =>
    annotations.some((one) => !one.crowd && (label === undefined || one.label === label)),
  );
  if (counts) return;
  const what = name === undefined ? "box" : `box of the class "${name}"`;
  throw new UserError(`${key} is ${metric}, but no validation image has a ${what}.`, {
    hint: "Without one the metric does not exist. Choose another metric, or early_stopping: none.",
  });
}
