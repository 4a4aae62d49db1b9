// COCO metrics of whatever can be measured: weights on a data set, or a results file that any program wrote.

import type { Dataset } from "../data/dataset/dataset.ts";
import type { SplitName } from "../data/dataset/sample.ts";
import type { Detector, OpenDetectorOptions } from "../detector/detector.ts";
import type { DownloadWatch } from "../detector/loadModel.ts";
import { openDetector } from "../detector/open.ts";
import type { DeviceChoice } from "../engine/device.ts";
import { type Confirmation, confirm, type Measured } from "../instance/operating/confirm.ts";
import type { OperatingPoint } from "../instance/operating/point.ts";
import { describeSlices } from "../instance/slices/layout.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { F1 } from "../run/records/evaluation.ts";
import { factLine } from "../util/text/fact.ts";
import { type CocoMetrics, cocoAp, limits } from "./cocoAp.ts";
import { loadAsTrained } from "./data/asTrained.ts";
import { comingBatches, evaluateSplit, matchedClasses } from "./data/evaluateSplit.ts";
import { alignClasses, type ClassMatch, type Evaluation } from "./evaluate.ts";
import { bestF1 } from "./f1.ts";
import { compareMasks, withMaskAp } from "./maskAp.ts";
import { measureAt } from "./operating/measureAt.ts";
import { readAnnotations, readResults, resultsHaveMasks } from "./results.ts";

/** Metrics with what they are of: `facts` as lines for people, `about` the same by name. -1: nothing to measure. */
export type Measurement = Pick<CocoMetrics, "metrics" | "perClass"> & {
  f1: F1;
  /** At the thresholds that the weights themselves say, where they do. */
  atPoint?: AtPoint;
  facts: string[];
  about: Record<string, string | number>;
};

/** Precision and recall of all boxes together; on a test split, whether they are what was promised. */
export type AtPoint = Measured & { point: OperatingPoint; confirmation: Confirmation | null };

export type EvaluateOptions = {
  /** A run folder, a checkpoint folder, a .safetensors, .pth or .onnx file, or a published name. */
  weights: string;
  /** Folder of the data set. */
  data: string;
  split?: SplitName | undefined;
  /** Images a forward pass. Default 4. */
  batchSize?: number | undefined;
  /** Detections that count, an image and class. Default 500, or as many as the model gives where these are more. */
  maxDets?: number | undefined;
  /** In which parts pictures are looked at. Default: those that the weights were trained on, if any. */
  slices?: OpenDetectorOptions["slices"];
  device?: DeviceChoice | undefined;
  /** What weights are computed in. Default "none", float32. */
  precision?: OpenDetectorOptions["precision"];
  /** The recipe that the weights were trained with, where they do not tell their architecture. */
  recipe?: Recipe | undefined;
  onDownload?: DownloadWatch | undefined;
  onWarning?: ((message: string) => void) | undefined;
  onImages?: ((done: number, all: number) => unknown) | undefined;
};

/** Measure weights on a split of a data set. Throws a UserError where model or data cannot be read or do not fit. */
export async function evaluate(options: EvaluateOptions): Promise<Measurement> {
  const { data, split: name = "val", batchSize = 4, device = "auto", onImages } = options;
  const dataset: Dataset = await loadAsTrained(data, options.weights, { require: [name] });
  const split = dataset.splits[name]!;
  const { recipe, onDownload, precision = "none", maxDets } = options;
  const opening = { ...comingBatches(split, batchSize), slices: options.slices };
  const detector = await openDetector(options.weights, { device, precision, recipe, onDownload, ...opening });
  try {
    const { source, device: used, slices, operatingPoint } = detector;
    if (used.warning) options.onWarning?.(used.warning);
    const { warning } = alignClasses(detector.classes, dataset.classes, source);
    if (warning) options.onWarning?.(warning);
    const { evaluation, match } = await evaluateSplit(detector, split, {
      ...{ classes: dataset.classes, batchSize, maxDets },
      onImages: (done) => onImages?.(done, split.samples.length),
    });
    const { metrics, perClass, f1, images } = evaluation;
    const facts = [
      `weights  ${source}`,
      `data     ${dataset.description}, ${name}: ${images} images`,
      `device   ${used.name}${precision === "bf16" ? ", in bfloat16" : ""}`,
      ...(slices ? [`slices   ${describeSlices(slices)}, and whole pictures`] : []),
      ...(dataset.notes ?? []).map((fact) => `note     ${factLine(fact).trim()}`),
      ...(warning ? [`note     ${warning}`] : []),
    ];
    return {
      ...{ metrics, perClass, f1, facts },
      ...(operatingPoint && { atPoint: atPoint(operatingPoint, evaluation, { match, detector, split: name }) }),
      about: {
        ...{ weights: source, data, split: name, images },
        ...(precision === "bf16" && { precision }),
        ...(slices && { slices: `${slices.size},${slices.overlap}` }),
      },
    };
  } finally {
    await detector.close();
  }
}

/** What came of the weights' own thresholds. Only a test split says whether they keep their promise: they were chosen on val. */
function atPoint(
  point: OperatingPoint,
  { counts, images }: Evaluation,
  { match, detector, split }: { match: ClassMatch; detector: Detector; split: SplitName },
): AtPoint {
  const measured = measureAt(point, counts, matchedClasses(detector, match));
  return { point, ...measured, confirmation: split === "test" ? confirm(point, measured, images) : null };
}

/** Measure a COCO results file against a COCO annotation file; no engine is needed. `maxDets` is 100 by default, as COCO's. */
export async function evaluateResults({
  predictions,
  annotations,
  maxDets = 100,
}: {
  predictions: string;
  annotations: string;
  maxDets?: number | undefined;
}): Promise<Measurement> {
  const masks = await resultsHaveMasks(predictions);
  const truth = await readAnnotations(annotations, { masks });
  const { detections, unknown, numberOf } = await readResults(predictions, truth);
  const { groundTruths, categories, imageIds } = truth;
  const renumbered = <Of extends { imageId: number }>(list: Of[]) => list.map((one) => ({ ...one, imageId: numberOf(one.imageId) })); // biome-ignore format: one line
  const all = { groundTruths: renumbered(groundTruths), detections: renumbered(detections), categories };
  const facts = [
    `annotations  ${annotations}: ${imageIds.size} images, ${groundTruths.length} boxes, ${categories.length} classes`,
    `predictions  ${predictions}: ${detections.length} detections`,
  ];
  for (const [id, count] of unknown)
    facts.push(`left out     ${count} detection${count === 1 ? "" : "s"} of category ${id}, which is not annotated`);
  if (groundTruths.some(({ id }) => id === 0)) {
    facts.push("note         annotation id 0: pycocotools counts no match with it, and neither does this");
  }
  const measured = { ...all, maxDets: limits(maxDets) };
  const boxes = cocoAp(measured);
  const { metrics, perClass } = masks ? withMaskAp(boxes, measured) : boxes;
  const about = { predictions, annotations, images: imageIds.size, detections: detections.length };
  return { metrics, perClass, f1: bestF1(masks ? { ...all, compare: compareMasks } : all), facts, about };
}
