// Metrics of a model on a split: every image through the model, then COCO metrics of what it found.

import { annotatedMask, type ClassEntry, nameKey, type Sample } from "../data/dataset/sample.ts";
import type { ImageDetections } from "../instance/detections.ts";
import { maskRuns, type PolygonRule } from "../instance/masks/maskRuns.ts";
import { packMask } from "../instance/masks/runs.ts";
import type { Slices } from "../instance/slices/layout.ts";
import type { BrokenImage } from "../loading/batch/batch.ts";
import type { F1 } from "../run/records/evaluation.ts";
import { UserError } from "../util/errors.ts";
import type { Category, Detection, GroundTruth } from "./boxMatching.ts";
import { type CocoMetrics, cocoAp, limits } from "./cocoAp.ts";
import { bestOf, sweepOf } from "./f1.ts";
import { compareMasks, withMaskAp } from "./maskAp.ts";
import { countScores, type ScoreCounts } from "./operating/counts.ts";
import { type Evaluated, lookAtBatches, lookAtPictures } from "./slices/lookAt.ts";

export type Evaluation = CocoMetrics & {
  /** By masks where they were measured, else by boxes. */
  f1: F1;
  /** F1 at each threshold; `f1` is the best of them. */
  f1Sweep: F1[];
  /** What `f1Sweep` is made of, image by image. */
  counts: ScoreCounts;
  images: number;
  /** Images that could not be read: they count neither for nor against the model. */
  broken: BrokenImage[];
  /** What was found, as a COCO results file has it. */
  detections: Detection[];
  groundTruths: GroundTruth[];
  categories: Category[];
};

/** Detections that count, an image and class, unless a model for crowds gives more. */
const USUAL_MAX_DETS = 500;

/** Detections that count of a model, where nobody says how many: as in a run of it. */
export function usualMaxDets({ numSelect = 0 }: { numSelect?: number }): number {
  return Math.max(USUAL_MAX_DETS, numSelect);
}

/**
 * Evaluate a model.
 * `detect` gives the detections of a batch's images in pixels of their originals; `batches` are each image of the split
 * once, as `evaluationLoader` yields them; `samples` are the split's. `categoryOf` gives the category id
 * of a label, undefined for one that is no class of the data set (its detections are left out); by default the class
 * table says it. `onBatch` is given how many images are done. Where detections have shapes their masks are measured, too, and
 * F1 is theirs; `polygons` is how the split's masks are drawn. `slices`: the batches are of parts of the pictures, as
 * `sliceForEvaluation` makes them, and what is found in these is put together.
 */
export async function evaluateModel<Images extends Evaluated>({
  detect,
  batches,
  samples,
  classes,
  categoryOf,
  maxDets = USUAL_MAX_DETS,
  polygons,
  slices,
  onBatch,
}: {
  detect: (batch: Images) => ImageDetections[] | Promise<ImageDetections[]>;
  batches: AsyncIterable<Images>;
  samples: readonly Sample[];
  classes: readonly ClassEntry[];
  categoryOf?: (label: number) => number | undefined;
  maxDets?: number;
  polygons?: PolygonRule | undefined;
  slices?: Slices | undefined;
  onBatch?: (images: number) => unknown;
}): Promise<Evaluation> {
  const byLabel = new Map(classes.map(({ label, categoryId }) => [label, categoryId]));
  const toCategory = categoryOf ?? ((label: number) => byLabel.get(label));
  const detections: Detection[] = [];
  const broken: BrokenImage[] = [];
  const sizes = new Map<number, Size>();
  let images = 0;
  let masks = false;
  const looked = slices ? lookAtPictures(batches, detect, { slices, mostOfClass: maxDets }) : lookAtBatches(batches, detect); // biome-ignore format: one line
  for await (const { found, ...batch } of looked) {
    broken.push(...batch.broken);
    if (found.length === 0) continue;
    for (const [i, one] of found.entries()) {
      masks ||= one.shapes !== undefined;
      const size = batch.originalSizes?.[i];
      if (size) sizes.set(batch.imageIds[i]!, size);
      for (const detection of toResults(one, batch.imageIds[i]!, toCategory)) detections.push(detection);
    }
    images += found.length;
    onBatch?.(images);
  }
  const unread = new Set(broken.map(({ imageId }) => imageId));
  const read = samples.filter(({ imageId }) => !unread.has(imageId));
  const groundTruths = masks ? withMasks(read, { sizes, polygons }) : groundTruthsOf(read);
  const categories = classes.map(({ categoryId, name }) => ({ id: categoryId, name }));
  const all = { groundTruths, detections, categories };
  const counts = countScores({ ...all, compare: masks ? compareMasks : undefined });
  const sweep = sweepOf(counts);
  const measured = { ...all, maxDets: limits(maxDets) };
  const boxes = cocoAp(measured);
  const metrics = masks ? withMaskAp(boxes, measured) : boxes;
  return { ...metrics, f1: bestOf(sweep), f1Sweep: sweep, counts, images, broken, ...all };
}

/** Of an image's file, in pixels. */
type Size = readonly [height: number, width: number];

/** What there is to find, with masks as packed run lengths at the size of each image's file. Throws a UserError for a mask that cannot be used. */
function withMasks(
  samples: readonly Sample[],
  { sizes, polygons }: { sizes: ReadonlyMap<number, Size>; polygons: PolygonRule | undefined },
): GroundTruth[] {
  return samples.flatMap((sample) => {
    const { imageId, file, width, height, annotations } = sample;
    const size = sizes.get(imageId) ?? (width !== null && height !== null ? ([height, width] as const) : null);
    const drawn = annotations.map((annotation) => {
      const { mask: _, ...rest } = annotation;
      const mask = annotatedMask(annotation, polygons);
      if (!mask) return rest;
      const runs = maskRuns(mask, { size, rule: polygons ?? "coco", where: `${file}, annotation ${annotation.id}` });
      return { ...rest, mask: packMask(runs) };
    });
    return groundTruthsOf([{ ...sample, annotations: drawn }]);
  });
}

/** Where the class tables of a model and of a data set come together. */
export type ClassMatch = {
  categoryOf: (label: number) => number | undefined;
  /** Said to people where not all of both tables found its name in the other. */
  warning: string | undefined;
};

/**
 * Which category of a data set each label of a model means: by class name, capitals and outer spaces aside where that is
 * needed. Only a model that does not know its classes' names goes by order. Throws a UserError where neither can be,
 * naming both class tables.
 */
export function alignClasses(model: readonly ClassEntry[], dataset: readonly ClassEntry[], source: string): ClassMatch {
  const byName = new Map(dataset.map((one) => [one.name, one]));
  const byKey = new Map(dataset.map((one) => [nameKey(one.name), one]));
  const pairs = model.map((own) => ({ own, other: byName.get(own.name) ?? byKey.get(nameKey(own.name)) }));
  const list = (classes: readonly ClassEntry[]) => classes.map(({ name }) => name).join(", ");
  if (pairs.some(({ other }) => other)) {
    const [alone, met] = [pairs.filter(({ other }) => !other), new Set(pairs.map(({ other }) => other))];
    const missing = dataset.filter((one) => !met.has(one));
    const parts = [
      ...(missing.length > 0 ? [`the model knows no ${list(missing)}, which cannot be found`] : []),
      ...(alone.length > 0 ? [`the data set knows no ${list(alone.map(({ own }) => own))}, which is left out`] : []),
    ];
    const byLabel = new Map(pairs.map(({ own, other }) => [own.label, other?.categoryId]));
    return {
      categoryOf: (label) => byLabel.get(label),
      warning: parts.length > 0 ? `Classes are matched by name: ${parts.join("; ")}.` : undefined,
    };
  }
  const unnamed = model.every(({ name, label }) => name === `class ${label}`);
  if (!unnamed || model.length !== dataset.length) {
    const why = unnamed || model.length !== dataset.length ? `it has ${model.length} classes, the data set ${dataset.length}` : "no class name is shared"; // biome-ignore format: one line
    throw new UserError(`${source} was not trained for this data set: ${why}.`, {
      hint: `The model's classes are ${list(model)}; those of the data set are ${list(dataset)}. Classes are matched by name.`,
    });
  }
  const byLabel = new Map(model.map(({ label }, i) => [label, dataset[i]!.categoryId]));
  return {
    categoryOf: (label) => byLabel.get(label),
    warning: `${source} does not know the names of its classes: they are taken in the order of the data set's, ${list(dataset)}.`,
  };
}

/** What there is to find: boxes as annotated, those without area left out as in training. Sizes are judged by `area`. */
export function groundTruthsOf(samples: readonly Sample[]): GroundTruth[] {
  return samples.flatMap(({ imageId, annotations }) =>
    annotations.flatMap(({ categoryId, box: [x1, y1, x2, y2], area, crowd, mask, keypoints }): GroundTruth[] => {
      if (!(x2 > x1 && y2 > y1)) return [];
      const shape = { ...(mask && { mask }), ...(keypoints && { keypoints }) };
      return [{ imageId, categoryId, bbox: [x1, y1, x2 - x1, y2 - y1], area, isCrowd: crowd, ...shape }];
    }),
  );
}

function toResults(
  { boxes, scores, labels, shapes }: ImageDetections,
  imageId: number,
  categoryOf: (label: number) => number | undefined,
): Detection[] {
  return Array.from(labels, (label, i): Detection | undefined => {
    const categoryId = categoryOf(label);
    if (categoryId === undefined) return undefined;
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return { imageId, categoryId, bbox: [x1, y1, x2 - x1, y2 - y1], score: scores[i]!, ...shapes?.[i] };
  }).filter((detection) => detection !== undefined);
}
