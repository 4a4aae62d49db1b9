// The loss on the validation images, beside the metrics of the same forward passes. As in the reference's validation: of the
// weights that are evaluated, one group of queries, each batch divided by its own boxes and counted by its images.

import * as tf from "@tensorflow/tfjs-core";
import type { Target } from "../../instance/instance.ts";
import { countBoxes, criterion, lossNumbers, lossPlaces, normaliser } from "../../loss/criterion.ts";
import { seededDraws } from "../../loss/masks/draws.ts";
import type { MaskLossSettings } from "../../loss/masks/settings.ts";
import { stack } from "../../loss/outputs.ts";
import { matchTargets } from "../../loss/pairs.ts";
import { termsOf } from "../../loss/terms/chosen.ts";
import type { Detections } from "../../model/rfdetr.ts";
import type { ValidationLosses } from "../../run/events.ts";

/** Keeps the points drawn here apart from those of training. */
const VALIDATION = 0x76616c;

export type BatchLosses = { images: number; values: number[] };

export type ValidationLoss = {
  /** The losses of a batch before which there are so many images; the outputs stay the caller's. */
  of(outputs: Detections, targets: readonly Target[], before: number): Promise<BatchLosses>;
  /** Count a batch. */
  add(batch: BatchLosses): void;
  /** Means over the images so far, under the names of the training rows with `val_` before them; null where one is no number. */
  means(): ValidationLosses;
};

/** Losses of a network with so many decoder layers; `masks`: of a segmenter. Its points are the same in every evaluation. */
export function validationLoss(layers: number, masks?: { settings: MaskLossSettings; seed: number }): ValidationLoss {
  const terms = termsOf(masks?.settings);
  const named = lossPlaces(layers, terms).filter(([name]) => name.startsWith("loss"));
  const sums = named.map(() => 0);
  let images = 0;
  return {
    of: async (outputs, targets, before) => {
      const numbers = tf.tidy(() => {
        const stacked = stack(outputs);
        const drawn = masks && { settings: masks.settings, draws: seededDraws(masks.seed, before, VALIDATION) };
        const matched = matchTargets(stacked, targets, { groups: 1, masks: drawn });
        return lossNumbers(
          criterion(stacked, matched, { divisor: tf.scalar(normaliser(countBoxes(targets), 1)), terms }),
        );
      });
      const values = await numbers.data();
      numbers.dispose();
      return { images: targets.length, values: named.map(([, place]) => values[place]!) };
    },
    add: (batch) => {
      images += batch.images;
      for (const [i, value] of batch.values.entries()) sums[i]! += batch.images * value;
    },
    means: () => {
      const mean = (sum: number) => (Number.isFinite(sum / images) ? sum / images : null);
      return Object.fromEntries(named.map(([name], i) => [`val_${name}`, mean(sums[i]!)])) as ValidationLosses;
    },
  };
}
