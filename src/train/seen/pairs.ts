// An image of a run's validation split twice: with what is annotated, and with what an evaluation found.

import { annotatedMask, type ClassEntry, type Sample, type Split } from "../../data/dataset/sample.ts";
import { decodeFile, MAX_PIXELS, type Reading } from "../../data/image/decode.ts";
import type { DrawnObject } from "../../data/image/draw.ts";
import { type PairPicture, pairPicture } from "../../data/image/pairPicture.ts";
import type { Detection } from "../../eval/boxMatching.ts";
import type { Evaluation } from "../../eval/evaluate.ts";
import { maskRuns, type PolygonRule } from "../../instance/masks/maskRuns.ts";
import { MASK_METRIC } from "../../instance/metrics.ts";

/** More objects than this are not drawn. */
const MOST_OBJECTS = 100;

/** What is drawn of a split. */
export type PairDrawing = {
  reading: Reading;
  polygons: PolygonRule | undefined;
  /** Whether the model is a segmenter, so that the masks of labels are drawn, too. */
  masks: boolean;
  names: ReadonlyMap<number, { label: number; name: string }>;
  detections: Detection[];
};

/** What an evaluation found with at least the confidence `threshold`, ready to be drawn. */
export function pairDrawing(
  { valSplit, classes }: { valSplit: Split; classes: readonly ClassEntry[] },
  evaluation: Pick<Evaluation, "detections" | "metrics">,
  threshold: number,
): PairDrawing {
  return {
    ...{ reading: valSplit.reading, polygons: valSplit.polygons, masks: MASK_METRIC in evaluation.metrics },
    names: new Map(classes.map(({ categoryId, label, name }) => [categoryId, { label, name }])),
    detections: evaluation.detections.filter(({ score }) => score >= threshold),
  };
}

/** Undefined for an image that is too large to be drawn. Throws a UserError where it cannot be read. */
export async function drawPair(sample: Sample, drawing: PairDrawing): Promise<PairPicture | undefined> {
  const { file, imageId, path, area, width, height } = sample;
  const { reading, names, detections } = drawing;
  if ((width ?? 0) * (height ?? 0) > MAX_PIXELS) return undefined;
  const image = await decodeFile(path, { ...reading, area });
  const found = detections
    .filter((detection) => detection.imageId === imageId)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST_OBJECTS);
  return pairPicture(image, {
    labels: labelsOf(sample, image, drawing),
    detections: found.map((detection) => drawnDetection(detection, { names, file })),
  });
}

/** What is annotated, as it is drawn; without text where it would say the same of each. */
function labelsOf(
  { file, annotations }: Sample,
  { width, height }: { width: number; height: number },
  { polygons, masks, names }: Pick<PairDrawing, "polygons" | "masks" | "names">,
): DrawnObject[] {
  const shown = annotations.filter(({ crowd }) => !crowd).slice(0, MOST_OBJECTS);
  return shown.map((annotation) => {
    const { id, box, label, categoryId } = annotation;
    const mask = masks ? annotatedMask(annotation, polygons) : undefined;
    const rule = polygons ?? "coco";
    return {
      ...{ box, label, text: names.size === 1 ? "" : (names.get(categoryId)?.name ?? "") },
      mask: mask && maskRuns(mask, { size: [height, width], rule, where: `${file}, annotation ${id}` }),
    };
  });
}

function drawnDetection(
  { bbox: [x, y, width, height], categoryId, score, mask }: Detection,
  { names, file }: Pick<PairDrawing, "names"> & { file: string },
): DrawnObject {
  const { label, name } = names.get(categoryId)!;
  return {
    ...{ box: [x, y, x + width, y + height], label },
    text: names.size === 1 ? score.toFixed(2) : `${name} ${score.toFixed(2)}`,
    mask: mask && maskRuns(mask, { size: null, where: file }),
  };
}
