// From one stage of a run to the next: what trains, what it cost, and the learning rates that follow.

import type { TrainEvent } from "../../run/events.ts";
import { setTrainable } from "../../step/learner.ts";
import { groupRates } from "../../step/optimiser/paramGroups.ts";
import { scheduleFactor } from "../../step/optimiser/schedule.ts";
import { factLine } from "../../util/text/fact.ts";
import type { Run } from "../liveRun.ts";
import type { Cost } from "./meter.ts";
import { describeStage, type Stage, stageAt } from "./stages.ts";

/** At the start of an epoch: change the stage where a new one begins, and log the learning rates of the epoch. */
export function* enterStage(
  run: Pick<Run, "staging" | "progress" | "learner" | "log" | "recipe" | "schedule" | "size">,
): Generator<TrainEvent, void, undefined> {
  const { staging, progress, learner } = run;
  const { plan, current } = staging;
  const next = stageAt(plan, progress.epoch);
  if (!staging.entered || next !== current) {
    if (staging.entered) yield* leaveStage(run);
    setTrainable(learner, next.paths);
    Object.assign(staging, { current: next, entered: true });
    const { index, fromEpoch, lrFactor, matches, trainable, frozen } = next;
    const { epoch, step } = progress;
    run.log.info("stage", { stage: index, epoch, step, fromEpoch, lrFactor, trainable, frozen, matches });
    if (isStaged(run)) yield { type: "notice", message: factLine(describeStage(next, plan)) };
  }
  run.log.info("learning rates", { epoch: progress.epoch, stage: next.index, ...ratesOfEpoch(run, next) });
}

/** At the end of a stage, or of the run: what its steps cost, since it began or the run was resumed. */
export function* leaveStage(run: Pick<Run, "staging" | "log" | "recipe">): Generator<TrainEvent, void, undefined> {
  const { meter, current, plan } = run.staging;
  const cost = meter.take();
  if (!cost) return;
  const { index, trainable, frozen } = current;
  run.log.info("stage cost", { stage: index, trainable, frozen, ...cost });
  if (isStaged(run)) yield { type: "notice", message: `Stage ${index + 1} of ${plan.length}: ${describeCost(cost)}` };
}

function isStaged({ recipe }: Pick<Run, "recipe">): boolean {
  return recipe.train.stages !== null;
}

function describeCost({ steps, seconds, peakBytes }: Cost): string {
  return `${steps} step${steps === 1 ? "" : "s"}, ${seconds.toPrecision(3)} s a step (median), peak memory ${(peakBytes / 1e9).toFixed(2)} GB`;
}

/** Learning rates of all groups at the first and at the last step of the epoch, with schedule and lr_factor. */
function ratesOfEpoch(
  { schedule, size, progress, learner }: Pick<Run, "schedule" | "size" | "progress" | "learner">,
  { paths, lrFactor }: Stage,
) {
  const last = Math.min((progress.epoch + 1) * size.stepsPerEpoch, size.totalSteps) - 1;
  const [from, to] = [progress.step, Math.max(progress.step, last)].map(
    (step) => scheduleFactor(schedule, step, size) * lrFactor,
  );
  const groups = groupRates(learner.groups, paths).map(({ lr, ...group }) => ({
    ...group,
    lr: [lr * from!, lr * to!],
  }));
  return { factor: [from!, to!], groups };
}
