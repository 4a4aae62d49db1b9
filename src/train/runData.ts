// The images of a run: which ones it trains and evaluates on, and the loaders that make batches of them.

import { type Dataset, loadDataset } from "../data/dataset/dataset.ts";
import type { Sample, Split } from "../data/dataset/sample.ts";
import { type Sliced, sliceForEvaluation, sliceForTraining } from "../data/slices/sliceSplit.ts";
import { ALONE, type Workers } from "../distributed/workers.ts";
import { describeSlices, type Slices } from "../instance/slices/layout.ts";
import type { Augment } from "../loading/augment/augment.ts";
import { evaluationLoader } from "../loading/batch/evaluationLoader.ts";
import { createLoader, type Loader } from "../loading/batch/loader.ts";
import type { Ordering } from "../loading/order/plan.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { MultiScale } from "../step/multiScale.ts";
import { UserError } from "../util/errors.ts";
import type { Fact } from "../util/text/fact.ts";
import { requireMetric } from "./record/earlyStopping.ts";
import { batchSize } from "./settings.ts";
import { inRecipeBatches, shareOf } from "./workers/share.ts";

/** The data set with its training pictures in the parts that the recipe has them trained in, and what that came to. */
export async function inParts(
  { data: { slices }, seed }: Pick<Recipe, "data" | "seed">,
  dataset: Dataset,
): Promise<{ dataset: Dataset; facts: Fact[] }> {
  const { train } = dataset.splits;
  if (slices === "none" || !train) return { dataset, facts: [] };
  const sliced = await sliceForTraining(train, slices, { seed });
  const facts = [{ name: "Slices", value: describeParts(sliced, slices) }];
  return { dataset: { ...dataset, splits: { ...dataset.splits, train: sliced.split } }, facts };
}

function describeParts({ pictures, parts, empty, kept }: Sliced, slices: Slices): string {
  if (pictures === 0) return `none: no training picture is larger than ${slices.size} pixels`;
  const drawn = empty > 0 ? `; of ${empty} parts without objects ${kept} are among them` : "";
  return `${pictures} training pictures become ${parts} ${describeSlices(slices)}${drawn}`;
}

/** The data set that a recipe trains on. Throws as `loadDataset`. */
export async function loadRunData(recipe: Recipe): Promise<Dataset> {
  return (await inParts(recipe, await loadDataset(recipe.data))).dataset;
}

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
  const chosen = labelled.slice(0, count);
  if (!chosen.some(({ area }) => area)) return { ...train, samples: chosen };
  // parts of a picture share its id, and each is evaluated by itself here
  return { ...train, samples: chosen.map((one, i) => ({ ...one, imageId: i + 1 })) };
}

/** Some images, those with boxes first. */
function handful(split: Split, images: number): Split {
  const boxes = ({ annotations }: Sample) => Math.min(1, annotations.length);
  return { ...split, samples: [...split.samples].sort((a, b) => boxes(b) - boxes(a)).slice(0, images) };
}

/**
 * The parts by which whole pictures are evaluated, if any: not where the very images that are trained on are to be learned by heart.
 */
export function evaluatedParts({ data: { slices } }: Pick<Recipe, "data">, overfit: number | null): Slices | undefined {
  return slices === "none" || overfit !== null ? undefined : slices;
}

/** The images by which a split is evaluated: its pictures, or their parts as well. */
export async function evaluatedImages(recipe: Recipe, split: Split, overfit: number | null): Promise<Split> {
  const slices = evaluatedParts(recipe, overfit);
  return slices ? sliceForEvaluation(split, slices, { objects: recipe.eval.loss }) : split;
}

type Wanted = {
  resolution: number;
  /** Who else computes batches of each step. */
  workers?: Workers | undefined;
  /** The few images are learned by heart: in turn, and as they are. */
  overfit: boolean;
  scales: MultiScale;
  /** Of a segmenter, whose training targets have them. */
  masks?: boolean;
  /** In place of the recipe's augmentations. */
  augment?: Augment | undefined;
};

/** Loaders of both splits, as the recipe and the step's sides have them. */
export function loaders(
  recipe: Recipe,
  splits: { train: Split; val: Split },
  wanted: Wanted,
): { train: Loader; val: Loader } {
  const { resolution, masks = false, workers: together = ALONE } = wanted;
  const { workers, max_broken: mostBroken } = recipe.data;
  return {
    train: trainingLoader(recipe, splits.train, wanted),
    val: evaluationLoader(splits.val, {
      batchSize: recipe.eval.batch_size ?? batchSize(recipe),
      resolution,
      workers,
      mostBroken,
      masks: masks && recipe.eval.loss, // metrics are measured on the masks of the files
      share: { rank: together.rank, of: together.size, run: 1 },
    }),
  };
}

/** The batches that a run trains on. */
export function trainingLoader(
  recipe: Recipe,
  split: Split,
  { resolution, overfit, scales, masks = false, augment: given, workers: together = ALONE }: Wanted,
): Loader {
  const { augment: own, close_augment_epochs: mildEpochs, workers, max_broken: mostBroken } = recipe.data;
  const augment: Augment | "none" = given ?? own;
  const share = shareOf(recipe, together);
  const loader = createLoader({
    ...orderingOf(recipe, { batchSize: batchSize(recipe), overfit }),
    // an epoch is as long, and in the same order, whatever the size of a worker's batches
    ...{ batchSize: share.batchSize, gradAccumSteps: share.batches * together.size, share: share.loader },
    ...{ split, workers, seed: recipe.seed, mostBroken, training: true, masks },
    augment: augment === "none" || overfit ? null : augment,
    mildFrom: recipe.train.epochs - mildEpochs,
    // the device resizes batches of the largest side, as the reference does
    resolution: scales.perStep?.at(-1) ?? resolution,
    sides: scales.perImage,
  });
  return inRecipeBatches(loader, share, together);
}

/** How the training images are ordered. */
export function orderingOf(
  { data: { resample, negatives, shuffle }, train }: Pick<Recipe, "data" | "train">,
  { batchSize: size, overfit = false }: { batchSize: number; overfit?: boolean },
): Ordering {
  return {
    ...{ batchSize: size, gradAccumSteps: train.grad_accum_steps },
    resample: resample === "none" || overfit ? undefined : resample,
    negatives: negatives === "all" || overfit ? undefined : negatives,
    shuffle: shuffle && !overfit, // in turn, each of the few images is seen equally often
  };
}
