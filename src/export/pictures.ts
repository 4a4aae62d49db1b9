// The images that an export is verified on: those of the run's own validation split wherever they can be found.

import { loadDataset } from "../data/dataset/dataset.ts";
import type { ClassEntry, Split, SplitName } from "../data/dataset/sample.ts";
import { loadAsTrained, loadOwn } from "../eval/data/asTrained.ts";
import { runFolderOf } from "../run/runFolder.ts";
import { UserError } from "../util/errors.ts";
import { packagePath } from "../util/package.ts";

/** Images to verify on. `classes`: the data set's own; undefined where the labels are not the model's. */
export type ExportPictures = { split: Split; classes: ClassEntry[] | undefined; source: string };

/** The pictures that come with this package. */
const BUNDLED = packagePath("datasets/trees");

/**
 * The images of `data`, else of the data set of the run that the weights lie in, else those of this package, without labels.
 * A run whose data set is gone is reported through `onWarning`. Throws a UserError where `data` is no data set.
 */
export async function findPictures(
  weights: string,
  { data, split, onWarning }: { data: string | undefined; split: SplitName; onWarning: (message: string) => void },
): Promise<ExportPictures> {
  try {
    const own = await ownPictures(weights, { data, split });
    if (own) return own;
  } catch (error) {
    if (data !== undefined || !(error instanceof UserError)) throw error;
    onWarning(`The data set of ${runFolderOf(weights)} cannot be read, so AP is not compared: ${error.message}`);
  }
  const dataset = await loadDataset({ dir: BUNDLED }, { require: ["val"] });
  return { split: dataset.splits.val!, classes: undefined, source: "the pictures of this package" };
}

/**
 * The training images of `data`, else of the run that the weights lie in; undefined where there is neither, or they cannot
 * be read.
 */
export async function findTrainingPictures(
  weights: string,
  data: string | undefined,
): Promise<ExportPictures | undefined> {
  const pictures = await ownPictures(weights, { data, split: "train" }).catch((error) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
  return pictures && pictures.split.samples.length > 0 ? pictures : undefined;
}

/** The images of `data`, else of the data set of the weights' run; undefined where there is neither. Throws a UserError. */
async function ownPictures(
  weights: string,
  { data, split }: { data: string | undefined; split: SplitName },
): Promise<ExportPictures | undefined> {
  const run = runFolderOf(weights);
  if (data === undefined && run === undefined) return undefined;
  const options = { require: [split] };
  const dataset = data === undefined ? await loadOwn(run!, options) : await loadAsTrained(data, weights, options);
  const source = `${data ?? dataset.description}, ${split}`;
  return { split: dataset.splits[split]!, classes: dataset.classes, source };
}
