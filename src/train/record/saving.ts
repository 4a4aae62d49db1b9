// Where a run stands, to a checkpoint and back.

import { join } from "node:path";
import { linkCheckpoint, linkedCheckpoint } from "../../checkpoint/store/links.ts";
import { pruneCheckpoints } from "../../checkpoint/store/prune.ts";
import { diskOf, megabytes } from "../../checkpoint/store/reserve.ts";
import {
  type Checkpoint,
  listCheckpoints,
  loadCheckpoint,
  newestIntact,
  saveCheckpoint,
} from "../../checkpoint/store/store.ts";
import { MAIN_METRIC } from "../../instance/metrics.ts";
import type { OperatingPoint } from "../../instance/operating/point.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { selection } from "../../run/selection.ts";
import { learnerTensors } from "../../step/learner.ts";
import { UserError } from "../../util/errors.ts";
import { isDiskFull } from "../../util/files.ts";
import type { Run } from "../liveRun.ts";
import { BEGINNING, type Progress } from "../progress.ts";
import { refuseNotFinite } from "./divergence.ts";
import { isExhausted } from "./earlyStopping.ts";

/**
 * What state.json holds. `metric` is what `best` and `patience` were measured by. `seconds` of training until then are
 * kept only where train.max_hours asks for them: all else is the same in any two runs of a recipe.
 */
export type RunState = Progress & {
  seed: number;
  emaUpdates: number;
  metricsRows: number;
  overfit: number | null;
  metric: string;
  seconds?: number;
};

/** Whether there is nothing left to train, and why. */
export function finished(
  { train, early_stopping }: Recipe,
  { epoch, step, patience, unevaluated }: Progress,
): string | null {
  if (epoch >= train.epochs) return `all ${train.epochs} epochs are done`;
  if (train.max_steps !== null && step >= train.max_steps && !unevaluated)
    return `all ${train.max_steps} steps are done`;
  if (isExhausted({ early_stopping }, patience)) return `it was stopped early, after ${epoch} epochs`;
  return null;
}

/** What is saved of a run, and where. */
type Saved = Pick<
  Run,
  "dir" | "recipe" | "learner" | "progress" | "metrics" | "overfit" | "seconds" | "metadata" | "log" | "reserve"
>;

/** `operatingPoint`: what the evaluation of these weights, where there was one, has chosen. */
type At = { epoch: number; epochEnd: boolean; score: number | null; operatingPoint?: OperatingPoint | undefined };

/**
 * Save the run as it stands, point the links to it, and delete what is not to be kept. Where the disk is full, that takes the room
 * that was held in reserve; a UserError says so where it cannot be held again.
 */
export async function saveProgress(run: Saved, at: At): Promise<TrainEvent> {
  const { reserve, dir, progress } = run;
  try {
    return await save(run, at);
  } catch (error) {
    if (!isDiskFull(error) || !(await reserve.release())) throw error;
  }
  const event = await save(run, at);
  if ((await reserve.hold()) === undefined) return event; // what is not to be kept any more has made room
  const folder = runFiles(dir).checkpoints;
  throw new UserError(
    `The disk of ${folder} (${await diskOf(folder)}) is full. The checkpoint of step ${progress.step} took the room that was held in reserve for it.`,
    { hint: `Free ${megabytes(2 * reserve.bytes)} there, enough for one more and a new reserve.` },
  );
}

async function save(run: Saved, { epoch, epochEnd, score, operatingPoint }: At): Promise<TrainEvent> {
  const { recipe, learner, progress, metrics } = run;
  await metrics.sync();
  const state: RunState = {
    ...progress,
    seed: recipe.seed,
    emaUpdates: learner.ema?.updates ?? 0,
    metricsRows: metrics.rows,
    overfit: run.overfit,
    metric: selection(recipe).metric,
    ...(recipe.train.max_hours !== null && { seconds: run.seconds() }),
  };
  const { step, best } = progress;
  const tensors = await learnerTensors(learner);
  await refuseNotFinite(run, tensors);
  const metadata = run.metadata({ epoch, step, operatingPoint });
  const dir = runFiles(run.dir).checkpoints;
  const name = await saveCheckpoint(dir, { epoch, step, epochEnd, score, tensors, state, metadata });
  const isBest = score !== null && best?.step === step;
  if (isBest) await linkCheckpoint(dir, "best", name);
  await linkCheckpoint(dir, "last", name);
  const { keep_last: keepLast, keep_best: keepBest, keep_every: keepEvery } = recipe.checkpoint;
  await pruneCheckpoints(dir, { keepLast, keepBest, keepEvery });
  run.log.info("checkpoint", { name, best: isBest });
  return { type: "checkpoint", name, best: isBest };
}

export type SavedProgress = { checkpoint: Checkpoint & { name: string }; state: RunState };

/** The checkpoint that a run goes on from: what `last` points to, or where that link is missing the newest intact one. */
export async function loadProgress(runDir: string): Promise<SavedProgress> {
  const dir = runFiles(runDir).checkpoints;
  const name = (await linkedCheckpoint(dir, "last")) ?? (await newestIntact(dir));
  if (!name) {
    throw new UserError(`The run ${runDir} has no checkpoint to continue from.`, {
      hint: `Start it again: rfdetr-train --recipe ${runFiles(runDir).recipe} --run ${runDir}`,
    });
  }
  const checkpoint = await loadCheckpoint(join(dir, name));
  const state = { ...BEGINNING, metric: MAIN_METRIC, ...checkpoint.state } as RunState; // older ones lack some fields
  if (!("epochSums" in checkpoint.state) && state.batch > 0) state.epochSums = null;
  await fixBest(dir, state);
  return { checkpoint, state };
}

/** A run that was killed between a checkpoint and its link lacks the newest `best`. */
async function fixBest(dir: string, { best }: RunState): Promise<void> {
  if (!best) return;
  const { name } = (await listCheckpoints(dir)).findLast((one) => one.step === best.step && one.score !== null) ?? {};
  if (name && (await linkedCheckpoint(dir, "best")) !== name) await linkCheckpoint(dir, "best", name);
}
