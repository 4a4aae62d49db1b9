// What a trained detector finds in every picture of a split, to be held against its labels.

import type { Split } from "../data/dataset/sample.ts";
import { sliceForEvaluation } from "../data/slices/sliceSplit.ts";
import type { DetectInput, Detector } from "../detector/detector.ts";
import { lookAtBatches, lookAtPictures } from "../eval/slices/lookAt.ts";
import type { ImageDetections } from "../instance/detections.ts";
import { evaluationLoader } from "../loading/batch/evaluationLoader.ts";
import type { FoundObject } from "./suspect.ts";
import { joinViews, mirrorBoxes, mirrorImages } from "./views.ts";

/** Less confident detections say nothing about labels. */
const LEAST_SCORE = 0.05;

/** Detections of a picture and class that are kept where it is looked at in parts. */
const MOST_OF_CLASS = 500;

/** Of a picture: what was found, best-scored first, and its size in pixels. */
export type LookedAtPicture = { imageId: number; found: FoundObject[]; size: readonly [height: number, width: number] };

type Looker = Pick<Detector, "detect" | "resolution" | "slices">;

/**
 * What is found in each picture, as it is and mirrored. `labelOf` gives the data set's label of one of the detector's, undefined for none:
 * such detections are left out. Throws a UserError for a picture that cannot be read.
 */
export async function* lookAtSplit(
  detector: Looker,
  split: Split,
  { labelOf, batchSize }: { labelOf: (label: number) => number | undefined; batchSize: number },
): AsyncGenerator<LookedAtPicture> {
  const { resolution, slices } = detector;
  const images = slices ? await sliceForEvaluation(split, slices) : split;
  const loader = evaluationLoader(images, { batchSize, resolution });
  // Both views of a batch are looked at together.
  const mirroredOf = new WeakMap<ImageDetections, ImageDetections>();
  const look = async (batch: DetectInput) => {
    const found = await detector.detect({ ...batch, maskFrom: LEAST_SCORE });
    const mirrored = slices ? [] : await mirroredView(detector, batch);
    for (const [i, one] of mirrored.entries()) mirroredOf.set(found[i]!, one);
    return found;
  };
  try {
    const looked = slices
      ? lookAtPictures(loader.epoch(0), look, { slices, mostOfClass: MOST_OF_CLASS })
      : lookAtBatches(loader.epoch(0), look);
    for await (const { imageIds, originalSizes = [], found } of looked)
      for (const [i, one] of found.entries()) {
        const objects = objectsOf(one, labelOf);
        const mirrored = mirroredOf.get(one);
        const joined = mirrored ? joinViews(objects, objectsOf(mirrored, labelOf)) : objects;
        yield { imageId: imageIds[i]!, found: joined, size: originalSizes[i]! };
      }
  } finally {
    await loader.close();
  }
}

/** What is found in mirrored images, where it is in the images as they are. */
async function mirroredView({ detect, resolution }: Looker, batch: DetectInput): Promise<ImageDetections[]> {
  const images = mirrorImages(batch.images, resolution);
  const found = await detect({ ...batch, images, maskFrom: 1 });
  return found.map((one, i) => ({ ...one, boxes: mirrorBoxes(one.boxes, batch.originalSizes[i]![1]) }));
}

function objectsOf(
  { boxes, scores, labels, shapes }: ImageDetections,
  labelOf: (label: number) => number | undefined,
): FoundObject[] {
  return Array.from(labels, (own, i): FoundObject[] => {
    const label = labelOf(own);
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    if (label === undefined || scores[i]! < LEAST_SCORE || !(x2 > x1 && y2 > y1)) return [];
    const mask = shapes?.[i]?.mask;
    return [{ label, box: [x1, y1, x2, y2], score: scores[i]!, ...(mask && { mask }) }];
  }).flat();
}
