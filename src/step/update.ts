// The last stage of a step: clipping, AdamW, moving average.

import type { Gradients } from "./backward.ts";
import { averagedLeaves, type Learner, trainable } from "./learner.ts";
import { applyUpdates, clipFactor, type Update, updateInputs } from "./optimiser/adamw.ts";
import { type EmaSettings, emaRate, moveAverages } from "./optimiser/ema.ts";

/**
 * Change weights, moments and averages by the gradients, whose norm before clipping is `gradNorm`; learning rates are
 * multiplied by `rateFactor`. Weights without a gradient keep their values, as in torch. The gradients stay the caller's.
 */
export function update(
  learner: Learner,
  { gradients, gradNorm }: { gradients: Gradients; gradNorm: number },
  { clipMaxNorm, ema, rateFactor }: { clipMaxNorm: number; ema: EmaSettings | null; rateFactor: number },
): void {
  const { optimizer } = learner;
  const scale = clipMaxNorm > 0 ? clipFactor(gradNorm, clipMaxNorm) : null;
  const inputs = updateInputs(optimizer, updatesOf(learner, gradients, rateFactor), scale);
  applyUpdates(optimizer, inputs);
  inputs.dispose();
  if (!learner.ema || !ema) return;
  const rate = emaRate(learner.ema, ema);
  moveAverages(learner.ema, rate, averagedLeaves(learner));
  rate.dispose();
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
