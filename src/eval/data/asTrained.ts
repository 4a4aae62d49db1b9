// What a run did to the images of its data set: whoever measures its weights does the same, so that they are held to what they learned.

import { existsSync } from "node:fs";
import { type Dataset, type DatasetOptions, type DatasetSource, loadDataset } from "../../data/dataset/dataset.ts";
import { readSplit } from "../../run/records/split.ts";
import { openRunFolder, runFolderOf } from "../../run/runFolder.ts";

/**
 * The data set in a folder as the run that `weights` lie in saw it: with its classes merged, renamed and dropped, and with its
 * val split where the folder has none. As it is where they lie in no run, or in one whose recipe this version cannot read. Throws as
 * `loadDataset`.
 */
export async function loadAsTrained(dir: string, weights: string, options: DatasetOptions): Promise<Dataset> {
  const run = existsSync(weights) ? runFolderOf(weights) : undefined;
  const recipe = run === undefined ? undefined : await ownRecipe(run);
  const source: DatasetSource = { dir, classes: recipe?.data.classes ?? null };
  return loadDataset(source, {
    ...options,
    kept: run === undefined ? null : await readSplit(run),
    knownClasses: false,
  });
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
