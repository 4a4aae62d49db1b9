// AP of the very model whose latency is measured.

import type { Dataset } from "../data/dataset/dataset.ts";
import type { SplitName } from "../data/dataset/sample.ts";
import { sliceForEvaluation } from "../data/slices/sliceSplit.ts";
import type { Detector } from "../detector/detector.ts";
import { alignClasses, evaluateModel, usualMaxDets } from "../eval/evaluate.ts";
import { metricsOf } from "../eval/metricsRow.ts";
import { evaluationLoader } from "../loading/batch/evaluationLoader.ts";

/** `metrics` under the names of `evaluate --json`. */
export type Accuracy = { images: number; metrics: ReturnType<typeof metricsOf> };

/** Measure as `evaluate` does: one image at a time, resized as in training. -1: nothing to measure. */
export async function accuracyOf(
  {
    detect,
    classes,
    resolution,
    source,
    slices,
    numSelect,
  }: Pick<Detector, "detect" | "classes" | "resolution" | "source"> & Partial<Pick<Detector, "slices" | "numSelect">>,
  dataset: Dataset,
  split: SplitName,
  {
    maxDets = usualMaxDets({ ...(numSelect && { numSelect }) }),
    signal,
    onImages,
  }: {
    maxDets?: number;
    signal?: AbortSignal;
    onImages?: (done: number, all: number) => unknown;
  } = {},
): Promise<Accuracy> {
  const { samples } = dataset.splits[split]!;
  const images = slices ? await sliceForEvaluation(dataset.splits[split]!, slices) : dataset.splits[split]!;
  const loader = evaluationLoader(images, { resolution });
  try {
    const evaluation = await evaluateModel({
      detect,
      batches: loader.epoch(0),
      samples,
      polygons: dataset.splits[split]!.polygons,
      classes: dataset.classes,
      categoryOf: alignClasses(classes, dataset.classes, source).categoryOf,
      maxDets,
      slices,
      onBatch: (done) => {
        signal?.throwIfAborted();
        onImages?.(done, samples.length);
      },
    });
    return { images: evaluation.images, metrics: metricsOf(evaluation) };
  } finally {
    await loader.close();
  }
}
