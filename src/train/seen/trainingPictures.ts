// What a recipe trains on, as pictures in a folder: its first batches, and on request each of its augmentations by itself with its time.

import type { Architecture } from "../../architecture/variants.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { type ClassEntry, type Split, trainingBoxes } from "../../data/dataset/sample.ts";
import { decodeFile } from "../../data/image/decode.ts";
import { encodePicture } from "../../data/image/draw.ts";
import { alone } from "../../loading/augment/alone.ts";
import { changeImage } from "../../loading/augment/apply.ts";
import { type Augment, stepsOf } from "../../loading/augment/augment.ts";
import { drawChanges } from "../../loading/augment/many/layers.ts";
import { isMany } from "../../loading/augment/steps.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { batchPictures } from "../../loading/batch/batchPictures.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { multiScale } from "../../step/multiScale.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { inParts, trainingLoader } from "../runData.ts";
import { batchSize } from "../settings.ts";
import { writePictures } from "./pictureFolder.ts";

/** Milliseconds that an augmentation takes an image, in one thread; null where it was not done to any. */
type TransformTime = { name: string; milliseconds: number | null };

/** `transforms` are null where they were not asked for. */
export type PicturesReport = { folder: string; batches: number; images: number; transforms: TransformTime[] | null };

export type PicturesOptions = {
  /** The folder to write to; files that others made stay. */
  out: string;
  /** Whether to show and time each augmentation by itself. Default false. */
  transforms?: boolean | undefined;
};

/** Pictures of the first batches, at least, and of each augmentation. */
const [OF_BATCHES, OF_EACH] = [8, 4];
/** Pictures that an augmentation is timed with. */
const TIMED = 8;

type Picture = { name: string; data: Uint8Array };

/** Throws a UserError where the folder has files of others, or an image cannot be read. */
export async function trainingPictures(
  given: Recipe,
  {
    dataset,
    architecture,
    out,
    transforms = false,
  }: PicturesOptions & { dataset: Dataset; architecture: Architecture },
): Promise<PicturesReport> {
  const recipe = withData(given, { workers: 0, ...(given.data.batch_size === "auto" && { batch_size: 4 }) });
  const { classes, splits } = (await inParts(recipe, dataset)).dataset;
  const shown = { recipe, split: splits.train!, classes, architecture };
  const batches = await firstBatches(shown, Math.ceil(OF_BATCHES / batchSize(recipe)));
  const pictures = (await Promise.all(batches.map((batch) => drawn(batch, classes)))).flat().map(named("batch"));
  const images = pictures.length;
  const { augment } = recipe.data;
  const times: TransformTime[] = [];
  for (const one of transforms && augment !== "none" ? alone(augment) : []) {
    const by = { ...shown, recipe: withData(recipe, { batch_size: OF_EACH }), augment: one.augment };
    const [batch] = await firstBatches(by, 1);
    pictures.push(...(await drawn(batch!, classes)).slice(0, OF_EACH).map(named(`alone-${one.name}`)));
    times.push({ name: one.name, milliseconds: await timeOf(one.augment, shown) });
  }
  const report = { batches: batches.length, images, transforms: transforms ? times : null };
  await writePictures(out, pictures, report);
  return { folder: out, ...report };
}

type Shown = {
  recipe: Recipe;
  split: Split;
  classes: readonly ClassEntry[];
  architecture: Architecture;
  /** In place of the recipe's. */
  augment?: Augment;
};

function withData(recipe: Recipe, data: Partial<Recipe["data"]>): Recipe {
  return { ...recipe, data: { ...recipe.data, ...data } };
}

/** The batches that training begins with. */
async function firstBatches({ recipe, split, architecture, augment }: Shown, count: number): Promise<Batch[]> {
  const { resolution, segmentationHead: masks } = architecture;
  const scales = multiScale(recipe.data.multi_scale, architecture);
  const loader = trainingLoader(recipe, split, { resolution, scales, masks, overfit: false, augment });
  const batches: Batch[] = [];
  try {
    for await (const batch of loader.epoch(0)) {
      batches.push(batch);
      if (batches.length === count) break;
    }
  } finally {
    await loader.close();
  }
  return batches;
}

async function drawn(batch: Batch, classes: readonly ClassEntry[]): Promise<Uint8Array[]> {
  const pictures = await batchPictures(batch, classes);
  return Promise.all(pictures.map(({ picture }) => encodePicture(picture, "a.jpg")));
}

const named =
  (name: string) =>
  (data: Uint8Array, i: number): Picture => ({ name: `${name}-${i + 1}.jpg`, data });

/** Mean over the pictures that it was done to; each twice, since the first time compiles. */
async function timeOf(augment: Augment, { recipe, split, architecture }: Shown): Promise<number | null> {
  if (stepsOf(augment).some(isMany)) return null; // their time is mostly that of reading the others
  const times: number[] = [];
  for (const [i, { path, area, annotations }] of split.samples.slice(0, TIMED).entries()) {
    const image = await decodeFile(path, { ...split.reading, area });
    const boxes = trainingBoxes(annotations, image.width, image.height);
    const about = { augment, side: architecture.resolution, boxes };
    const changes = drawChanges(rngFromSeed(recipe.seed, i), image, about);
    if (changes.length === 0) continue;
    changeImage(image, changes);
    const began = performance.now();
    changeImage(image, changes);
    times.push(performance.now() - began);
  }
  return times.length > 0 ? times.reduce((sum, time) => sum + time) / times.length : null;
}
