// A detector, whatever it runs in, measured on a split of a data set.

import type { ClassEntry, Split } from "../../data/dataset/sample.ts";
import { sliceForEvaluation } from "../../data/slices/sliceSplit.ts";
import type { Detector } from "../../detector/detector.ts";
import { evaluationLoader } from "../../loading/batch/evaluationLoader.ts";
import { alignClasses, type ClassMatch, type Evaluation, evaluateModel, usualMaxDets } from "../evaluate.ts";

export type EvaluateSplitOptions = {
  /** Of the data set; those of the detector are found among them by name. */
  classes: readonly ClassEntry[];
  /** Images a forward pass. Default 1. */
  batchSize?: number | undefined;
  /** Default: as many as the detector gives, and at least 500. */
  maxDets?: number | undefined;
  /** Threads that prepare images, and how many images may be left out because they cannot be read; defaults 1 and none. */
  workers?: number | undefined;
  mostBroken?: number | undefined;
  /** Called with how many pictures are done; what it throws ends the evaluation. */
  onImages?: ((done: number) => unknown) | undefined;
};

/** What to tell `openDetector` of the images of a split that will come, in batches of so many. */
export function comingBatches({ samples }: Pick<Split, "samples">, batchSize: number) {
  return {
    batches: Math.floor(samples.length / batchSize),
    batchSizes: [Math.min(batchSize, samples.length)],
    partsAtOnce: batchSize,
  };
}

/** The labels of a detector with the categories of the data set that they mean. */
export function matchedClasses(
  { classes }: Pick<Detector, "classes">,
  { categoryOf }: Pick<ClassMatch, "categoryOf">,
): Pick<ClassEntry, "label" | "categoryId">[] {
  return classes.flatMap(({ label }) => {
    const categoryId = categoryOf(label);
    return categoryId === undefined ? [] : [{ label, categoryId }];
  });
}

/**
 * Every picture of a split through a detector, in parts where it looks at pictures so. The detector stays the caller's. Throws a
 * UserError where the classes do not fit, or images cannot be read.
 */
export async function evaluateSplit(
  detector: Detector,
  split: Split,
  { classes, batchSize = 1, maxDets = usualMaxDets(detector), workers, mostBroken, onImages }: EvaluateSplitOptions,
): Promise<{ evaluation: Evaluation; match: ClassMatch }> {
  const { slices, resolution, detect, source } = detector;
  const match = alignClasses(detector.classes, classes, source);
  const images = slices ? await sliceForEvaluation(split, slices) : split;
  const loader = evaluationLoader(images, {
    ...{ batchSize, resolution },
    ...(workers !== undefined && { workers }),
    ...(mostBroken !== undefined && { mostBroken }),
  });
  try {
    const { samples, polygons } = split;
    const { categoryOf } = match;
    const evaluation = await evaluateModel({
      ...{ detect, batches: loader.epoch(0), samples, polygons, classes, categoryOf, maxDets, slices },
      ...(onImages && { onBatch: onImages }),
    });
    return { evaluation, match };
  } finally {
    await loader.close();
  }
}
