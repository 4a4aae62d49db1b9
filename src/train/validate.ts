// COCO metrics of the weights that the run would ship: the moving average, where there is one.

import * as tf from "@tensorflow/tfjs-core";
import type { Detection, GroundTruth } from "../eval/boxMatching.ts";
import { type CocoMetrics, cocoAp } from "../eval/cocoAp.ts";
import { postprocess } from "../model/postprocess.ts";
import { rfdetr } from "../model/rfdetr.ts";
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
  const { architecture } = learner;
  const averaged = averagedWeights(learner);
  const detections: Detection[] = [];
  try {
    for await (const batch of valLoader.epoch(0)) {
      const images = tf.tensor4d(batch.images, batch.shape);
      const outputs = tf.tidy(() => {
        const { layers } = rfdetr(averaged.weights, architecture, images, { training: false });
        return layers.at(-1)!;
      });
      const found = await postprocess(outputs, batch.originalSizes, architecture.numSelect);
      tf.dispose([images, outputs.logits, outputs.boxes]);
      for (const [i, { boxes, scores, labels }] of found.entries()) {
        for (const [j, label] of labels.entries()) {
          const known = classes[label];
          if (!known) continue; // the heads' last slot is no class
          const [x1, y1, x2, y2] = boxes.subarray(4 * j, 4 * j + 4) as unknown as [number, number, number, number];
          detections.push({
            imageId: batch.imageIds[i]!,
            categoryId: known.categoryId,
            bbox: [x1, y1, x2 - x1, y2 - y1],
            score: scores[j]!,
          });
        }
      }
    }
  } finally {
    averaged.dispose();
  }
  const groundTruths = valSplit.samples.flatMap(({ imageId, annotations }) =>
    annotations.map(
      ({ id, categoryId, box: [x1, y1, x2, y2], area, crowd }): GroundTruth => ({
        ...{ id, imageId, categoryId, area, isCrowd: crowd, bbox: [x1, y1, x2 - x1, y2 - y1] },
      }),
    ),
  );
  const categories = classes.map(({ categoryId: id, name }) => ({ id, name }));
  const result = cocoAp({ groundTruths, detections, categories, maxDets: [1, 10, recipe.eval.max_dets] });
  return toRow(result, progress.step, epoch);
}

function toRow({ metrics, perClass }: CocoMetrics, step: number, epoch: number): ValRow {
  const measured = (value: number | undefined) => (value === undefined || value < 0 ? null : value);
  return {
    step,
    epoch,
    split: "val",
    "AP50:95": measured(metrics["AP50:95"]),
    AP50: measured(metrics.AP50),
    AP75: measured(metrics.AP75),
    AR: measured(metrics.AR),
    per_class: Object.fromEntries(perClass.map((one) => [one.name, measured(one["AP50:95"])])),
  };
}
