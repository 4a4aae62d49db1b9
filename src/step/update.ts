// The last stage of a step: clipping, AdamW, moving average.

import { EAGER, type Recorder } from "../engine/recording/recorder.ts";
import type { Gradients } from "./backward.ts";
import { averagedLeaves, type Learner, trainable } from "./learner.ts";
import { clipFactor, type Update, updateWeights } from "./optimiser/adamw.ts";
import { type EmaSettings, updateEma } from "./optimiser/ema.ts";

export type UpdateSettings = {
  clipMaxNorm: number;
  ema: EmaSettings | null;
  rateFactor: number;
  recorder?: Recorder | undefined;
};

/**
 * Change weights, moments and averages by the gradients, whose norm before clipping is `gradNorm`; learning rates are
 * multiplied by `rateFactor`. Weights without a gradient keep their values, as in torch. The gradients stay the caller's.
 */
export async function update(
  learner: Learner,
  { gradients, gradNorm }: { gradients: Gradients; gradNorm: number },
  { clipMaxNorm, ema, rateFactor, recorder = EAGER }: UpdateSettings,
): Promise<void> {
  const scale = clipMaxNorm > 0 ? clipFactor(gradNorm, clipMaxNorm) : null;
  await updateWeights(learner.optimizer, updatesOf(learner, gradients, rateFactor), { scale, recorder });
  if (learner.ema && ema) await updateEma(learner.ema, averagedLeaves(learner), { ...ema, recorder });
}

function updatesOf({ weights, groups }: Learner, gradients: Gradients, rateFactor: number): Update[] {
  const groupOf = new Map(groups.flatMap((group) => group.paths.map((path) => [path, group])));
  return trainable(weights).flatMap(([path, weight]) => {
    const gradient = gradients.get(path);
    if (!gradient) return [];
    const group = groupOf.get(path);
    if (!group) throw new Error(`the weight ${path} is in no parameter group`);
    return [{ path, weight, gradient, lr: group.lr * rateFactor, weightDecay: group.weightDecay }];
  });
}
