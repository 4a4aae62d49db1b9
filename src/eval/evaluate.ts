// Metrics of a model on a split: every image through the model, then COCO metrics of what it found.

import type { Batch } from "../data/batch/loader.ts";
import type { ClassEntry, Sample } from "../data/dataset/sample.ts";
import type { ImageDetections } from "../instance/detections.ts";
import type { F1 } from "../run/evaluation.ts";
import { UserError } from "../util/errors.ts";
import type { Category, Detection, GroundTruth } from "./boxMatching.ts";
import { type CocoMetrics, cocoAp, limits } from "./cocoAp.ts";
import { bestOf, f1Sweep } from "./f1.ts";

export type Evaluation = CocoMetrics & {
  f1: F1;
  /** F1 at each threshold; `f1` is the best of them. */
  f1Sweep: F1[];
  images: number;
  /** What was found, as a COCO results file has it. */
  detections: Detection[];
  groundTruths: GroundTruth[];
  categories: Category[];
};

/**
 * Evaluate a model.
 * `detect` gives the detections of a batch's images in pixels of their originals; `batches` are each image of the split
 * once, as `evaluationLoader` yields them; `samples` are the split's. `categoryOf` gives the category id
 * of a label, undefined for one that is no class of the data set (its detections are left out); by default the class
 * table says it. `onBatch` is given how many images are done.
 */
export async function evaluateModel({
  detect,
  batches,
  samples,
  classes,
  categoryOf,
  maxDets = 500,
  onBatch,
}: {
  detect: (batch: Batch) => ImageDetections[] | Promise<ImageDetections[]>;
  batches: AsyncIterable<Batch>;
  samples: readonly Sample[];
  classes: readonly ClassEntry[];
  categoryOf?: (label: number) => number | undefined;
  maxDets?: number;
  onBatch?: (images: number) => unknown;
}): Promise<Evaluation> {
  const byLabel = new Map(classes.map(({ label, categoryId }) => [label, categoryId]));
  const toCategory = categoryOf ?? ((label: number) => byLabel.get(label));
  const detections: Detection[] = [];
  let images = 0;
  for await (const batch of batches) {
    const found = await detect(batch);
    for (const [i, one] of found.entries()) detections.push(...toResults(one, batch.imageIds[i]!, toCategory));
    images += found.length;
    onBatch?.(images);
  }
  const groundTruths = toGroundTruths(samples);
  const categories = classes.map(({ categoryId, name }) => ({ id: categoryId, name }));
  const all = { groundTruths, detections, categories };
  const sweep = f1Sweep(all);
  return { ...cocoAp({ ...all, maxDets: limits(maxDets) }), f1: bestOf(sweep), f1Sweep: sweep, images, ...all };
}

/**
 * Which category of a data set each label of a model means: by class name where they share any, else by order. Throws a
 * UserError where neither can be, naming both class tables.
 */
export function categoryOfLabel(
  model: readonly ClassEntry[],
  dataset: readonly ClassEntry[],
  source: string,
): (label: number) => number | undefined {
  const nameOf = new Map(model.map(({ label, name }) => [label, name]));
  const byName = new Map(dataset.map(({ name, categoryId }) => [name, categoryId]));
  if (model.some(({ name }) => byName.has(name))) return (label) => byName.get(nameOf.get(label) ?? "");
  if (model.length !== dataset.length) {
    const list = (classes: readonly ClassEntry[]) => classes.map(({ name }) => name).join(", ");
    throw new UserError(
      `${source} was not trained for this data set: it has ${model.length} classes, the data set ${dataset.length}.`,
      {
        hint: `The model's classes are ${list(model)}; those of the data set are ${list(dataset)}.`,
      },
    );
  }
  const byLabel = new Map(model.map(({ label }, i) => [label, dataset[i]!.categoryId]));
  return (label) => byLabel.get(label);
}

/** What there is to find: boxes as annotated, those without area left out as in training. Sizes are judged by `area`. */
function toGroundTruths(samples: readonly Sample[]): GroundTruth[] {
  return samples.flatMap(({ imageId, annotations }) =>
    annotations.flatMap(({ categoryId, box: [x1, y1, x2, y2], area, crowd, mask, keypoints }): GroundTruth[] => {
      if (!(x2 > x1 && y2 > y1)) return [];
      const shape = { ...(mask && { mask }), ...(keypoints && { keypoints }) };
      return [{ imageId, categoryId, bbox: [x1, y1, x2 - x1, y2 - y1], area, isCrowd: crowd, ...shape }];
    }),
  );
}

function toResults(
  { boxes, scores, labels }: ImageDetections,
  imageId: number,
  categoryOf: (label: number) => number | undefined,
): Detection[] {
  return Array.from(labels, (label, i): Detection | undefined => {
    const categoryId = categoryOf(label);
    if (categoryId === undefined) return undefined;
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return { imageId, categoryId, bbox: [x1, y1, x2 - x1, y2 - y1], score: scores[i]! };
  }).filter((detection) => detection !== undefined);
}
