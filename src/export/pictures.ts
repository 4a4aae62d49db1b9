// The images that an export is verified on: those of the run's own validation split wherever they can be found.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadDataset } from "../data/dataset.ts";
import type { ClassEntry, Split, SplitName } from "../data/sample.ts";
import { loadRecipe } from "../recipe/load.ts";
import { UserError } from "../util/errors.ts";

/** Images to verify on. `classes`: the data set's own; undefined where the labels are not the model's. */
export type Pictures = { split: Split; classes: ClassEntry[] | undefined; source: string };

/** The pictures that come with this package. */
const BUNDLED = fileURLToPath(new URL("../../datasets/trees", import.meta.url));

/**
 * The images of `data`, else of the data set of the run that the weights lie in, else those of this package, without labels.
 * A run whose data set is gone is told through `onWarning`. Throws a UserError where `data` is no data set.
 */
export async function findPictures(
  weights: string,
  { data, split, onWarning }: { data: string | undefined; split: SplitName; onWarning: (message: string) => void },
): Promise<Pictures> {
  if (data !== undefined) {
    const dataset = await loadDataset({ dir: data }, { require: [split] });
    return { split: dataset.splits[split]!, classes: dataset.classes, source: `${data}, ${split}` };
  }
  const run = runOf(weights);
  if (run !== undefined) {
    try {
      const { data: source } = await loadRecipe(join(run, "recipe.yaml"));
      const dataset = await loadDataset(source, { require: [split] });
      return { split: dataset.splits[split]!, classes: dataset.classes, source: `${dataset.description}, ${split}` };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      onWarning(`The data set of ${run} cannot be read, so AP is not compared: ${error.message}`);
    }
  }
  const dataset = await loadDataset({ dir: BUNDLED }, { require: ["val"] });
  return { split: dataset.splits.val!, classes: undefined, source: "the pictures of this package" };
}

/**
 * The training images of `data`, else of the run that the weights lie in; undefined where there is neither, or they cannot
 * be read.
 */
export async function findTrainingPictures(weights: string, data: string | undefined): Promise<Pictures | undefined> {
  if (data === undefined && runOf(weights) === undefined) return undefined;
  const missing: string[] = [];
  try {
    const options = { data, split: "train", onWarning: (message: string) => void missing.push(message) } as const;
    const pictures = await findPictures(weights, options);
    return missing.length === 0 && pictures.split.samples.length > 0 ? pictures : undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return undefined;
  }
}

/** The folder of the run that weights lie in. */
export function runOf(weights: string): string | undefined {
  let folder = resolve(weights);
  for (let up = 0; up < 4; up++, folder = dirname(folder))
    if (existsSync(join(folder, "recipe.yaml")) && existsSync(join(folder, "checkpoints"))) return folder;
  return undefined;
}

/** So many samples, spread evenly over the split. */
export function spread(split: Split, count: number): Split {
  const { samples } = split;
  const most = Math.min(count, samples.length);
  return {
    ...split,
    samples: Array.from({ length: most }, (_, i) => samples[Math.floor((i * samples.length) / most)]!),
  };
}
