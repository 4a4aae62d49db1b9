// What a run did to the images of its data set: whoever measures its weights does the same, so that they are held to what they learned.

import { existsSync } from "node:fs";
import { readWeightsFile } from "../../checkpoint/weightsFile.ts";
import { weightsAt } from "../../checkpoint/weightsFolder.ts";
import { type ClassRules, classRulesFrom } from "../../data/classes/classRules.ts";
import { type Dataset, type DatasetOptions, loadDataset } from "../../data/dataset/dataset.ts";
import { readOnnxFacts } from "../../onnx/facts.ts";
import { isOnnx } from "../../onnx/format.ts";
import { readSplit } from "../../run/records/split.ts";
import { openRunFolder, runFolderOf } from "../../run/runFolder.ts";
import { UserError } from "../../util/errors.ts";

/**
 * The data set in a folder as the run saw it that `weights` are of: with its classes merged, renamed and dropped, as the run's recipe
 * or the weights file says, and, where they lie in the run's folder, with its val split if the data set has none. Throws as `loadDataset`.
 */
export async function loadAsTrained(dir: string, weights: string, options: DatasetOptions): Promise<Dataset> {
  const run = existsSync(weights) ? runFolderOf(weights) : undefined;
  const classes = run === undefined ? await rulesIn(weights) : ((await ownRecipe(run))?.data.classes ?? null);
  const kept = run === undefined ? null : await readSplit(run);
  return loadDataset({ dir, classes }, { ...options, kept, knownClasses: false });
}

/** What weights outside of a run say of the classes; null where that is nothing. What is wrong with them is left to who loads them. */
async function rulesIn(weights: string): Promise<ClassRules | null> {
  if (!existsSync(weights)) return null;
  try {
    const path = await weightsAt(weights);
    if (isOnnx(path)) return classRulesFrom((await readOnnxFacts(path)).metadata.data_classes);
    return path.endsWith(".safetensors")
      ? classRulesFrom((await readWeightsFile(path)).metadata.extra?.data_classes)
      : null;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** The data set of a run itself, as its recipe names it. Throws a UserError where either cannot be read. */
export async function loadOwn(run: string, options: DatasetOptions): Promise<Dataset> {
  const { data } = await (await openRunFolder(run)).resolvedRecipe();
  return loadDataset(data, { ...options, kept: await readSplit(run) });
}

async function ownRecipe(run: string) {
  const folder = await openRunFolder(run);
  return folder.resolvedRecipe().catch(() => undefined);
}
