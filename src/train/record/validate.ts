// COCO metrics of the weights that the run would ship: the moving average, where there is one.

import * as tf from "@tensorflow/tfjs-core";
import { type Evaluation, evaluateModel } from "../../eval/evaluate.ts";
import { metricsOf } from "../../eval/metricsRow.ts";
import { operatingPoint } from "../../eval/operating/operatingPoint.ts";
import { bySummary, FURTHER_METRICS, MAIN_METRIC, measured, PREFIXES } from "../../instance/metrics.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { forwardLayers } from "../../model/detect.ts";
import { postprocess } from "../../model/postprocess.ts";
import type { TrainEvent, ValRow } from "../../run/events.ts";
import { averagedWeights } from "../../step/learner.ts";
import type { Run } from "../liveRun.ts";
import { validationLoss } from "../losses/validationLoss.ts";
import { evaluatedParts } from "../runData.ts";
import { batchSize, maskLosses } from "../settings.ts";
import { type DetectedBatch, detectedBatches } from "../workers/detectedBatches.ts";
import type { ValEvaluation } from "./evaluationRecord.ts";
import { warning } from "./record.ts";

/** Evaluate on the run's validation images, of which each worker looks at some batches: the row for metrics.jsonl, and all that it was made of. */
export async function validate(
  {
    learner,
    valLoader,
    valSplit,
    classes,
    recipe,
    progress,
    stepSettings,
    overfit,
    workers,
  }: Pick<
    Run,
    "learner" | "valLoader" | "valSplit" | "classes" | "recipe" | "progress" | "stepSettings" | "overfit" | "workers"
  >,
  epoch: number,
): Promise<{ row: ValRow; result: Evaluation & ValEvaluation }> {
  const averaged = averagedWeights(learner);
  const { architecture } = learner;
  const masks = architecture.segmentationHead ? { settings: maskLosses(recipe.train), seed: recipe.seed } : undefined;
  const loss = recipe.eval.loss ? validationLoss(architecture.decLayers, masks) : undefined;
  const size = recipe.eval.batch_size ?? batchSize(recipe);
  const detect = async (batch: Batch, place: number) => {
    const outputs = await forwardLayers(averaged.weights, architecture, batch, stepSettings);
    try {
      return {
        losses: await loss?.of(outputs, batch.targets, place * size),
        found: await postprocess(outputs.layers.at(-1)!, batch.originalSizes, architecture.numSelect),
      };
    } finally {
      tf.dispose(outputs);
    }
  };
  const options = {
    detect: ({ found, losses }: DetectedBatch) => {
      if (losses) loss!.add(losses);
      return found;
    },
    batches: detectedBatches(valLoader.epoch(0), detect, workers),
    samples: valSplit.samples,
    polygons: valSplit.polygons,
    classes,
    slices: evaluatedParts(recipe, overfit),
  };
  const result = await evaluateModel({ ...options, maxDets: recipe.eval.max_dets }).finally(averaged.dispose);
  const { per_class, ...metrics } = metricsOf(result);
  const row: ValRow = {
    step: progress.step,
    epoch,
    split: "val",
    time: new Date().toISOString(),
    ...(result.broken.length > 0 && { unread: result.broken.length }),
    ...bySummary((name) => measured(metrics[name])),
    ...Object.fromEntries(FURTHER_METRICS.map((name) => [name, measured(metrics[name])])),
    ...loss?.means(),
    ...byClass(per_class as Record<string, Record<string, number>>),
  };
  const { by, at } = recipe.selection.thresholds;
  const operating = operatingPoint(result.counts, {
    ...{ rule: by === "best-f1" ? { by, at: null } : { by, at }, seed: recipe.seed },
    ...{ classes, images: result.images },
  });
  return { row, result: { ...result, operatingPoint: operating } };
}

/** The main metric of each kind by the name of the class. */
function byClass(perClass: Record<string, Record<string, number>>): Pick<ValRow, "per_class"> {
  const all = Object.entries(perClass);
  const kinds = PREFIXES.filter((prefix) => prefix === "" || all.some(([, of]) => `${prefix}${MAIN_METRIC}` in of));
  const columns = kinds.map((prefix) => [
    `${prefix}per_class`,
    Object.fromEntries(all.map(([name, of]) => [name, measured(of[`${prefix}${MAIN_METRIC}`])])),
  ]);
  return Object.fromEntries(columns) as Pick<ValRow, "per_class">;
}

/** A warning that the metrics are not of all validation images. */
export function partly(run: Pick<Run, "log" | "valSplit">, { images, broken }: Evaluation): TrainEvent {
  const all = run.valSplit.samples.length;
  const rest = broken.length > 1 ? ` (and ${broken.length - 1} more)` : "";
  return warning(run, `This evaluation is of ${images} of ${all} images. ${broken[0]!.message}${rest}`);
}
