// fixed-pictures.json of a run: six validation pictures, chosen once, and what each evaluation finds in them.

import { isDeepStrictEqual } from "node:util";
import { annotatedMask, type Sample } from "../../data/dataset/sample.ts";
import { browsedObjects } from "../../eval/errors/browsed.ts";
import { type Evaluation, groundTruthsOf } from "../../eval/evaluate.ts";
import type { Mask } from "../../instance/instance.ts";
import { maskRuns, type PolygonRule } from "../../instance/masks/maskRuns.ts";
import { maskOutline } from "../../instance/masks/outline.ts";
import { MASK_METRIC } from "../../instance/metrics.ts";
import type { TrainEvent, ValRow } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import {
  type FixedFindings,
  type FixedPicture,
  type FixedPictures,
  type MaskCorners,
  MOST_FIXED,
  MOST_FOUND,
  MOST_OUTLINE,
  readFixedPictures,
  withinBounds,
} from "../../run/records/fixedPictures.ts";
import type { TrackedPicture } from "../../track/tracker.ts";
import { UserError } from "../../util/errors.ts";
import { writeFileAtomic } from "../../util/files.ts";
import type { Run } from "../liveRun.ts";
import { warning } from "../record/record.ts";
import { chooseSpread } from "./fixedChoice.ts";
import { drawPair, pairDrawing } from "./pairs.ts";
import { thumbnail } from "./thumbnails.ts";

/** Bytes of one picture, and the sizes that are tried first. */
const MOST_BYTES = 30_000;
const SIZES = [
  { side: 480, quality: 75 },
  { side: 480, quality: 60 },
  { side: 400, quality: 60 },
] as const;

/** An outline is as exact as a picture of so many pixels can show. */
const SHOWN_SIDE = 320;

type Shown = Pick<Run, "dir" | "valSplit" | "classes" | "recipe">;

/** Choose them as a run begins, where that was not done before. Trouble with it never stops the training. */
export async function* keepFixedPictures(
  run: Shown & Pick<Run, "log" | "learner">,
): AsyncGenerator<TrainEvent, void, undefined> {
  try {
    await fixedPicturesOf(run, { masks: run.learner.architecture.segmentationHead });
  } catch (error) {
    yield warning(run, `The pictures that evaluations show could not be chosen: ${(error as Error).message}`);
  }
}

/** Note what an evaluation found in them, in place of what is there of this step and of later ones. Returns them, drawn. */
export async function recordFixed(
  run: Shown,
  { step, epoch }: Pick<ValRow, "step" | "epoch">,
  evaluation: Pick<Evaluation, "detections" | "groundTruths" | "categories" | "metrics" | "f1">,
): Promise<TrackedPicture[]> {
  const { f1 } = evaluation;
  const threshold = f1.f1 > 0 ? f1.threshold : 0.5;
  const record = await fixedPicturesOf(run, { masks: MASK_METRIC in evaluation.metrics });
  const evaluated = { step, epoch, threshold, pictures: findings(record, evaluation) };
  const before = record.evaluations.filter((one) => one.step < step);
  await write(run.dir, { ...record, evaluations: withinBounds([...before, evaluated]) });

  const drawing = pairDrawing(run, evaluation, threshold);
  const samples = new Map(run.valSplit.samples.map((sample) => [sample.imageId, sample]));
  const drawn: TrackedPicture[] = [];
  for (const [i, { imageId, image }] of record.pictures.entries()) {
    const pair = await drawPair(samples.get(imageId)!, drawing).catch(unreadable);
    if (pair) drawn.push({ ...pair, name: `fixed-${i + 1}`, caption: image, format: "jpeg" });
  }
  return drawn;
}

/** An image that is gone meanwhile is no reason to stop anything. */
function unreadable(error: unknown): undefined {
  if (!(error instanceof UserError)) throw error;
}

/** Whether a run's folder tells what evaluations after `step` have found. */
export async function hasLaterFindings(dir: string, step: number): Promise<boolean> {
  return (await readFixedPictures(dir))?.evaluations.some((one) => one.step > step) ?? false;
}

/** Leave out what evaluations after `step` have found. */
export async function cutFindings(dir: string, step: number): Promise<void> {
  const record = await readFixedPictures(dir);
  if (record) await write(dir, { ...record, evaluations: record.evaluations.filter((one) => one.step <= step) });
}

async function write(dir: string, record: FixedPictures): Promise<void> {
  await writeFileAtomic(runFiles(dir).fixedPictures, `${JSON.stringify(record)}\n`);
}

/** The run's record: the one that is there, where it is of these images and classes, or a new one. */
async function fixedPicturesOf(
  { dir, valSplit, classes, recipe }: Shown,
  { masks }: { masks: boolean },
): Promise<FixedPictures> {
  const names = classes.map(({ name }) => name);
  const known = await readFixedPictures(dir);
  const files = new Map(valSplit.samples.map(({ imageId, file }) => [imageId, file]));
  const isSame = (of: FixedPictures) =>
    isDeepStrictEqual(of.classes, names) && of.pictures.every(({ imageId, image }) => files.get(imageId) === image);
  if (known && isSame(known)) return known;
  const pictures = await chooseSpread(valSplit.samples, {
    ...{ seed: recipe.seed, count: MOST_FIXED },
    use: async (sample) => {
      const small = await thumbnail(sample, { reading: valSplit.reading, most: MOST_BYTES, first: SIZES });
      if (!small) return undefined;
      const objects = annotated(sample, { size: small, valSplit, classes, masks });
      return { imageId: sample.imageId, image: sample.file, ...small, ...objects };
    },
  });
  const record: FixedPictures = { format: 1, classes: names, pictures, evaluations: [] };
  await write(dir, record);
  return record;
}

/** What is to be found in a picture; `masks`: with outlines. */
function annotated(
  sample: Sample,
  {
    size,
    valSplit: { polygons },
    classes,
    masks,
  }: Pick<Shown, "classes" | "valSplit"> & { size: Size; masks: boolean },
): Pick<FixedPicture, "truths" | "outlines"> {
  const categories = classes.map(({ categoryId, name }) => ({ id: categoryId, name }));
  const drawn = sample.annotations.map((one) => ({ ...one, mask: masks ? annotatedMask(one, polygons) : undefined }));
  const groundTruths = groundTruthsOf([{ ...sample, annotations: drawn.map(({ mask, ...one }) => (mask ? { ...one, mask } : one)) }]); // biome-ignore format: one line
  const { truths } = browsedObjects({ groundTruths, detections: [], categories }, [sample.imageId]).pictures[0]!;
  if (!masks) return { truths };
  const known = new Set(categories.map(({ id }) => id));
  const shown = groundTruths.filter(({ categoryId, isCrowd }) => known.has(categoryId) && !isCrowd);
  return { truths, outlines: shown.map(({ mask }) => outlineOf(mask, size, polygons)) };
}

type Size = { width: number; height: number };

function outlineOf(mask: Mask | undefined, { width, height }: Size, rule: PolygonRule = "coco"): MaskCorners {
  if (!mask) return [];
  const runs = maskRuns(mask, { size: [height, width], rule, where: "a validation picture" });
  return maskOutline(runs, { most: MOST_OUTLINE, tolerance: Math.max(width, height) / SHOWN_SIDE });
}

/** What was found in each of the pictures, best-scored first. */
function findings(
  { pictures }: FixedPictures,
  evaluation: Pick<Evaluation, "detections" | "groundTruths" | "categories" | "metrics">,
): FixedFindings[] {
  const ids = pictures.map(({ imageId }) => imageId);
  const { floor, pictures: found } = browsedObjects(evaluation, ids);
  const known = new Set(evaluation.categories.map(({ id }) => id));
  return pictures.map((picture, i) => {
    const detections = found[i]!.detections.slice(0, MOST_FOUND);
    if (!(MASK_METRIC in evaluation.metrics)) return { detections };
    const ranked = evaluation.detections
      .filter(
        ({ imageId, score, categoryId }) => imageId === picture.imageId && score >= floor && known.has(categoryId),
      )
      .sort((a, b) => b.score - a.score);
    return { detections, outlines: detections.map((_, d) => outlineOf(ranked[d]?.mask, picture)) };
  });
}
