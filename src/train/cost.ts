// What a run will cost: one of its steps measured on this machine, with all of its weights and with the heads alone.

import type { Architecture } from "../architecture/variants.ts";
import type { Dataset } from "../data/dataset/dataset.ts";
import { installedEngine, setupInvocation } from "../engine/libtensorflow.ts";
import { epochLength } from "../loading/batch/sampler.ts";
import { shownImages } from "../loading/order/plan.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { RunLength } from "../step/optimiser/schedule.ts";
import { inSeconds } from "../util/text/duration.ts";
import { gigabytes } from "./auto/batchSearch.ts";
import { heaviest, runProbe } from "./auto/probe.ts";
import { recipeArchitecture } from "./recipeArchitecture.ts";
import { loadRunData, orderingOf } from "./runData.ts";

/** Seconds and bytes of a run, as far as one step and one evaluated image can tell. */
type RunCost = {
  /** Images of an optimizer update. */
  images: number;
  secondsPerStep: number;
  steps: number;
  /** Seconds of all steps and all evaluations; loading of images comes on top where it is slower than the step. */
  seconds: number;
  peakBytes: number;
};

export type CostReport = {
  cost: RunCost;
  /** The same recipe with a frozen encoder; null where it is frozen already, or trained in stages. */
  headsOnly: RunCost | null;
};

/** Why there is no estimate, in a sentence. */
export type NoCost = { unknown: string };

/** Measure it, in processes of their own; `dataset` is read where it is not given. `signal` ends it with its reason. */
export async function estimateCost(
  recipe: Recipe,
  options: { dataset?: Dataset; signal?: AbortSignal | undefined } = {},
): Promise<CostReport | NoCost> {
  const { batch_size: batchSize } = recipe.data;
  if (batchSize === "auto") return { unknown: "data.batch_size is auto: the run measures it first" };
  if (!installedEngine()) return { unknown: `the engine is not set up: ${setupInvocation()}` };
  const dataset = options.dataset ?? (await loadRunData(recipe));
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  const measure = (of: Recipe) => costOf(of, { architecture, dataset, batchSize, signal: options.signal });
  const cost = await measure(recipe);
  if ("unknown" in cost) return cost;
  const frozen = recipe.model.freeze_encoder || recipe.train.stages !== null;
  const heads = frozen ? null : await measure({ ...recipe, model: { ...recipe.model, freeze_encoder: true } });
  return { cost, headsOnly: heads === null || "unknown" in heads ? null : heads };
}

async function costOf(
  recipe: Recipe,
  {
    architecture,
    dataset,
    batchSize,
    signal,
  }: { architecture: Architecture; dataset: Dataset; batchSize: number; signal: AbortSignal | undefined },
): Promise<RunCost | NoCost> {
  const train = dataset.splits.train?.samples ?? [];
  const task = { recipe, architecture, batchSize, ...heaviest(recipe, architecture, train), evaluation: true };
  const probed = await runProbe(task, signal);
  if ("failed" in probed) return { unknown: `a step does not fit into memory: ${probed.failed}` };
  const images = batchSize * recipe.train.grad_accum_steps;
  const secondsPerStep = probed.seconds * (images / probed.images);
  const { stepsPerEpoch, totalSteps: steps } = plannedLength(recipe, {
    images: shownImages(train, orderingOf(recipe, { batchSize })),
    batchSize,
  });
  const evaluations = Math.ceil(steps / stepsPerEpoch / recipe.eval.every_epochs);
  const evaluated = evaluations * (dataset.splits.val?.samples.length ?? 0);
  const seconds = steps * secondsPerStep + evaluated * (probed.evaluationSeconds ?? 0);
  return { images, secondsPerStep, steps, seconds, peakBytes: probed.peakBytes };
}

/** How long a run over so many training images will be; `shown`: images of an epoch, those shown again included. */
export function plannedLength(
  { train }: Recipe,
  { images, batchSize }: { images: number; batchSize: number },
): RunLength & { shown: number; totalSteps: number } {
  const { epochs, max_steps: most, grad_accum_steps: gradAccumSteps } = train;
  const shown = epochLength({ length: images, batchSize, gradAccumSteps });
  const stepsPerEpoch = shown / (batchSize * gradAccumSteps);
  return {
    epochs,
    stepsPerEpoch,
    shown,
    totalSteps: Math.min(epochs * stepsPerEpoch, most ?? Number.POSITIVE_INFINITY),
  };
}

/** An estimate in lines for people. */
export function describeCost(report: CostReport | NoCost): string[] {
  if ("unknown" in report) return [`not estimated: ${report.unknown}`];
  const { cost, headsOnly } = report;
  const about = ({ seconds, peakBytes }: RunCost) => `about ${inHours(seconds)}, ${gigabytes(peakBytes)} of memory`;
  const step = `a step of ${cost.images} images takes ${inSeconds(cost.secondsPerStep)} here`;
  return [
    `${about(cost)}: ${step}, ${cost.steps} steps`,
    ...(headsOnly ? [`${about(headsOnly)} with the heads only (model.freeze_encoder: true)`] : []),
  ];
}

function inHours(value: number): string {
  if (value < 90) return inSeconds(value);
  if (value < 5400) return `${Math.round(value / 60)} minutes`;
  return `${(value / 3600).toFixed(value < 36_000 ? 1 : 0)} hours`;
}
