// The learning rates of a run before it begins, as numbers. No tensors.

import { type RunLength, type Schedule, scheduleFactor } from "../../step/optimiser/schedule.ts";
import { type Stage, stageAt } from "./stages.ts";

/** Points of the outline at most: as many as a line of text has columns. */
const POINTS = 71;

/** `factor` multiplies every learning rate of the recipe: the schedule's times the stage's. */
export type ScheduleOutline = {
  epochs: number;
  stepsPerEpoch: number;
  totalSteps: number;
  points: { epoch: number; factor: number }[];
  stages: (Pick<Stage, "fromEpoch" | "lrFactor" | "matches" | "trainable" | "frozen"> & { reached: boolean })[];
};

/** The factor over the run at evenly spread steps, and its stages. `totalSteps` may be fewer than the epochs have. */
export function outlineSchedule(
  schedule: Schedule,
  plan: readonly Stage[],
  { epochs, stepsPerEpoch, totalSteps }: RunLength & { totalSteps: number },
): ScheduleOutline {
  const count = Math.max(1, Math.min(POINTS, totalSteps));
  const points = Array.from({ length: count }, (_, i) => {
    const step = count === 1 ? 0 : Math.round((i * (totalSteps - 1)) / (count - 1));
    const epoch = step / stepsPerEpoch;
    const factor = scheduleFactor(schedule, step, { epochs, stepsPerEpoch }) * stageAt(plan, epoch).lrFactor;
    return { epoch, factor };
  });
  const stages = plan.map(({ fromEpoch, lrFactor, matches, trainable, frozen }) => {
    return { fromEpoch, lrFactor, matches, trainable, frozen, reached: fromEpoch * stepsPerEpoch < totalSteps };
  });
  return { epochs, stepsPerEpoch, totalSteps, points, stages };
}
