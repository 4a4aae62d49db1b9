// The images of a run: which ones it trains and evaluates on, and the loaders that make batches of them.

import { evaluationLoader } from "../data/batch/evaluationLoader.ts";
import { createLoader, type Loader } from "../data/batch/loader.ts";
import type { Dataset } from "../data/dataset/dataset.ts";
import type { Sample, Split } from "../data/dataset/sample.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { MultiScale } from "../step/multiScale.ts";
import { UserError } from "../util/errors.ts";
import { requireMetric } from "./record/earlyStopping.ts";

/** The images to train and to evaluate on: all, the first that have boxes, or a handful. */
export function chooseSplits(
  recipe: Recipe,
  { splits, classes }: Dataset,
  { overfit, dryRun }: { overfit: number | null; dryRun: boolean },
): { train: Split; val: Split } {
  const few = overfit === null ? undefined : firstLabelled(splits.train!, overfit);
  const { train, val } = few ? { train: few, val: few } : { train: splits.train!, val: splits.val! };
  requireMetric(recipe, classes, val);
  return dryRun ? { train: handful(train, batchSize(recipe)), val: handful(val, 2) } : { train, val };
}

function firstLabelled(train: Split, count: number): Split {
  const labelled = train.samples.filter(({ annotations }) => annotations.some(({ crowd }) => !crowd));
  if (count > labelled.length)
    throw new UserError(`--overfit is ${count}, but only ${labelled.length} training images have boxes.`);
  return { ...train, samples: labelled.slice(0, count) };
}

/** Some images, those with boxes first. */
function handful(split: Split, images: number): Split {
  const boxes = ({ annotations }: Sample) => Math.min(1, annotations.length);
  return { ...split, samples: [...split.samples].sort((a, b) => boxes(b) - boxes(a)).slice(0, images) };
}

/** Loaders of both splits, as the recipe and the step's sides have them. `masks`: of a segmenter, whose training targets have them. */
export function loaders(
  recipe: Recipe,
  splits: { train: Split; val: Split },
  {
    resolution,
    overfit,
    scales,
    masks = false,
  }: { resolution: number; overfit: boolean; scales: MultiScale; masks?: boolean },
): { train: Loader; val: Loader } {
  const { augment, workers, shuffle, resample, max_broken: mostBroken } = recipe.data;
  const common = { batchSize: batchSize(recipe), resolution, workers, seed: recipe.seed, mostBroken };
  const changes = augment === "none" || overfit ? null : augment;
  const gradAccumSteps = recipe.train.grad_accum_steps;
  return {
    train: createLoader({
      ...{ ...common, split: splits.train, augment: changes, training: true, masks, gradAccumSteps },
      // the device resizes batches of the largest side, as the reference does
      resolution: scales.perStep?.at(-1) ?? resolution,
      sides: scales.perImage,
      ...(resample !== "none" && !overfit && { resample }),
      shuffle: shuffle && !overfit, // in turn, each of the few images is seen equally often
    }),
    val: evaluationLoader(splits.val, {
      batchSize: recipe.eval.batch_size ?? common.batchSize,
      resolution,
      workers,
      mostBroken,
      masks: masks && recipe.eval.loss, // metrics are measured on the masks of the files
    }),
  };
}

/** Images of one forward pass. */
export function batchSize(recipe: Recipe): number {
  const { batch_size: size } = recipe.data;
  if (size === "auto") throw new Error("data.batch_size: auto has not been resolved"); // see auto/batchSize.ts
  return size;
}
