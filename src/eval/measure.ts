// COCO metrics of whatever can be measured: weights on a data set, or a results file that any program wrote.

import type { Dataset } from "../data/dataset/dataset.ts";
import type { SplitName } from "../data/dataset/sample.ts";
import { sliceForEvaluation } from "../data/slices/sliceSplit.ts";
import type { OpenDetectorOptions } from "../detector/detector.ts";
import type { DownloadWatch } from "../detector/loadModel.ts";
import { openDetector } from "../detector/open.ts";
import type { DeviceChoice } from "../engine/device.ts";
import { describeSlices } from "../instance/slices/layout.ts";
import { evaluationLoader } from "../loading/batch/evaluationLoader.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { F1 } from "../run/records/evaluation.ts";
import { factLine } from "../util/text/fact.ts";
import { type CocoMetrics, cocoAp, limits } from "./cocoAp.ts";
import { loadAsTrained } from "./data/asTrained.ts";
import { alignClasses, evaluateModel, usualMaxDets } from "./evaluate.ts";
import { bestF1 } from "./f1.ts";
import { compareMasks, withMaskAp } from "./maskAp.ts";
import { readAnnotations, readResults, resultsHaveMasks } from "./results.ts";

/** Metrics with what they are of: `facts` as lines for people, `about` the same by name. -1: nothing to measure. */
export type Measurement = Pick<CocoMetrics, "metrics" | "perClass"> & {
  f1: F1;
  facts: string[];
  about: Record<string, string | number>;
};

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
  const { data, split = "val", batchSize = 4, device = "auto", onImages } = options;
  const dataset: Dataset = await loadAsTrained(data, options.weights, { require: [split] });
  const { samples } = dataset.splits[split]!;
  const { recipe, onDownload, precision = "none" } = options;
  const opening = {
    batches: Math.floor(samples.length / batchSize),
    batchSizes: [Math.min(batchSize, samples.length)],
    ...{ slices: options.slices, partsAtOnce: batchSize },
  };
  const detector = await openDetector(options.weights, { device, precision, recipe, onDownload, ...opening });
  const { source, device: used, slices } = detector;
  const { maxDets = usualMaxDets(detector) } = options;
  if (used.warning) options.onWarning?.(used.warning);
  const match = alignClasses(detector.classes, dataset.classes, source);
  if (match.warning) options.onWarning?.(match.warning);
  const images = slices ? await sliceForEvaluation(dataset.splits[split]!, slices) : dataset.splits[split]!;
  const loader = evaluationLoader(images, { batchSize, resolution: detector.resolution });
  try {
    const {
      metrics,
      perClass,
      f1,
      images: measured,
    } = await evaluateModel({
      detect: detector.detect,
      batches: loader.epoch(0),
      samples,
      polygons: dataset.splits[split]!.polygons,
      classes: dataset.classes,
      categoryOf: match.categoryOf,
      maxDets,
      slices,
      onBatch: (done) => onImages?.(done, samples.length),
    });
    const facts = [
      `weights  ${source}`,
      `data     ${dataset.description}, ${split}: ${measured} images`,
      `device   ${used.name}${precision === "bf16" ? ", in bfloat16" : ""}`,
      ...(slices ? [`slices   ${describeSlices(slices)}, and whole pictures`] : []),
      ...(dataset.notes ?? []).map((fact) => `note     ${factLine(fact).trim()}`),
      ...(match.warning ? [`note     ${match.warning}`] : []),
    ];
    return {
      metrics,
      perClass,
      f1,
      facts,
      about: {
        ...{ weights: source, data, split, images: measured },
        ...(precision === "bf16" && { precision }),
        ...(slices && { slices: `${slices.size},${slices.overlap}` }),
      },
    };
  } finally {
    await loader.close();
    await detector.close();
  }
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
