// The data set that is reviewed and corrected: as its files have it, whatever a recipe makes of it for training.

import { createHash } from "node:crypto";
import { type Dataset, type DatasetSource, loadDataset } from "../data/dataset/dataset.ts";
import { contentFingerprint, datasetFingerprint } from "../data/dataset/fingerprint.ts";

/** All splits of a data set with the classes of its files; labels by a model may be anywhere. Throws as `loadDataset`. */
export function loadAsItIs({ dir, exif, train, val, test }: DatasetSource): Promise<Dataset> {
  const source = { ...(dir && { dir }), ...(exif && { exif }), ...(train && { train }), ...(val && { val }), ...(test && { test }) }; // biome-ignore format: one line
  return loadDataset(source, { require: [], byModelAnywhere: true });
}

/** What a data set is known by: its labels, masks included, and its pictures. It may lie elsewhere the next time. */
export async function reviewFingerprint(dataset: Dataset): Promise<string> {
  const [labels, pictures] = await Promise.all([datasetFingerprint(dataset, { masks: true }), contentFingerprint(dataset)]); // biome-ignore format: one line
  return createHash("sha256").update(labels).update(pictures).digest("hex");
}
