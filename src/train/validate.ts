// COCO metrics of the weights that the run would ship: the moving average, where there is one.

import * as tf from "@tensorflow/tfjs-core";
import type { Batch } from "../data/loader.ts";
import { evaluateModel } from "../eval/evaluate.ts";
import { type ImageDetections, postprocess } from "../model/postprocess.ts";
import { type RfdetrWeights, rfdetr } from "../model/rfdetr.ts";
import type { Architecture } from "../model/variants.ts";
import type { ValRow } from "./events.ts";
import { averagedWeights } from "./learner.ts";
import type { Run } from "./run.ts";

/** Whether a score is better than the best so far; the first one is. */
export function isBetter(score: number | null, best: { score: number } | null): boolean {
  return score !== null && score > (best?.score ?? Number.NEGATIVE_INFINITY);
}

/** Evaluate on the run's validation images and return the row for metrics.jsonl. */
export async function validate(run: Run, epoch: number): Promise<ValRow> {
  const { learner, valLoader, valSplit, classes, recipe, progress } = run;
  const averaged = averagedWeights(learner);
  const detect = (batch: Batch) => detectObjects(averaged.weights, learner.architecture, batch);
  const options = { detect, batches: valLoader.epoch(0), samples: valSplit.samples, classes };
  const { metrics, perClass } = await evaluateModel({ ...options, maxDets: recipe.eval.max_dets }).finally(
    averaged.dispose,
  );
  const measured = (value: number | undefined) => (value === undefined || value < 0 ? null : value);
  return {
    step: progress.step,
    epoch,
    split: "val",
    "AP50:95": measured(metrics["AP50:95"]),
    AP50: measured(metrics.AP50),
    AP75: measured(metrics.AP75),
    AR: measured(metrics.AR),
    per_class: Object.fromEntries(perClass.map((one) => [one.name, measured(one["AP50:95"])])),
  };
}

/** What the model finds in each image of a batch, in pixels of the original images. */
async function detectObjects(
  weights: RfdetrWeights,
  architecture: Architecture,
  { images, shape, originalSizes }: Batch,
): Promise<ImageDetections[]> {
  const { logits, boxes } = tf.tidy(
    () => rfdetr(weights, architecture, tf.tensor4d(images, shape), { training: false }).layers.at(-1)!,
  );
  const found = await postprocess({ logits, boxes }, originalSizes, architecture.numSelect);
  tf.dispose([logits, boxes]);
  return found;
}
