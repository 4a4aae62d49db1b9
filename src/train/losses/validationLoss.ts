// The loss on the validation images, beside the metrics of the same forward passes. As in the reference's validation: of the
// weights that are evaluated, one group of queries, each batch divided by its own boxes and counted by its images.

import * as tf from "@tensorflow/tfjs-core";
import type { Target } from "../../instance/instance.ts";
import { criterion, lossNumbers, lossPlaces, normaliser } from "../../loss/criterion.ts";
import { seededDraws } from "../../loss/masks/draws.ts";
import type { MaskLossSettings } from "../../loss/masks/settings.ts";
import { stack } from "../../loss/outputs.ts";
import { matchTargets } from "../../loss/pairs.ts";
import { termsOf } from "../../loss/terms/chosen.ts";
import type { Detections } from "../../model/rfdetr.ts";
import type { ValidationLosses } from "../../run/events.ts";

/** Keeps the points drawn here apart from those of training. */
const VALIDATION = 0x76616c;

export type ValidationLoss = {
  /** Count a batch; the outputs stay the caller's. */
  add(outputs: Detections, targets: readonly Target[]): Promise<void>;
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
    add: async (outputs, targets) => {
      const numbers = tf.tidy(() => {
        const stacked = stack(outputs);
        const drawn = masks && { settings: masks.settings, draws: seededDraws(masks.seed, images, VALIDATION) };
        const matched = matchTargets(stacked, targets, { groups: 1, masks: drawn });
        return lossNumbers(criterion(stacked, matched, { divisor: tf.scalar(normaliser(targets, 1)), terms }));
      });
      const values = await numbers.data();
      numbers.dispose();
      images += targets.length;
      for (const [i, [, place]] of named.entries()) sums[i]! += targets.length * values[place]!;
    },
    means: () => {
      const mean = (sum: number) => (Number.isFinite(sum / images) ? sum / images : null);
      return Object.fromEntries(named.map(([name], i) => [`val_${name}`, mean(sums[i]!)])) as ValidationLosses;
    },
  };
}
