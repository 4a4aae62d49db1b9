// Where a run stands, to a checkpoint and back.

import { join } from "node:path";
import {
  type Checkpoint,
  linkCheckpoint,
  linkedCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  newestIntact,
  pruneCheckpoints,
  saveCheckpoint,
} from "../../checkpoint/store.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { TrainEvent } from "../../run/events.ts";
import { UserError } from "../../util/errors.ts";
import type { Run } from "../run.ts";
import { refuseNotFinite } from "../step/divergence.ts";
import { learnerTensors } from "../step/learner.ts";
import { isExhausted, type Patience, selectionMetric } from "./earlyStopping.ts";

/**
 * Position of a run. The next batch is number `batch` of `epoch`, both from 0; `step` updates are done, and the last
 * `skipped` steps were skipped. All that is random in training is a function of seed, epoch and batch, so this is the
 * state of the random numbers, too.
 */
export type Progress = {
  epoch: number;
  batch: number;
  step: number;
  skipped: number;
  best: { score: number; step: number } | null;
  patience: Patience;
};

/** Where a run begins. */
export const BEGINNING: Progress = {
  ...{ epoch: 0, batch: 0, step: 0, skipped: 0 },
  best: null,
  patience: { score: null, stale: 0 },
};

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
export function finished({ train, early_stopping }: Recipe, { epoch, step, patience }: Progress): string | null {
  if (epoch >= train.epochs) return `all ${train.epochs} epochs are done`;
  if (train.max_steps !== null && step >= train.max_steps) return `all ${train.max_steps} steps are done`;
  if (isExhausted({ early_stopping }, patience)) return `it was stopped early, after ${epoch} epochs`;
  return null;
}

/** Save the run as it stands, point the links to it, and delete what is not to be kept. */
export async function saveProgress(
  run: Run,
  { epoch, epochEnd, score }: { epoch: number; epochEnd: boolean; score: number | null },
): Promise<TrainEvent> {
  const { recipe, learner, progress, metrics } = run;
  await metrics.sync();
  const state: RunState = {
    ...progress,
    seed: recipe.seed,
    emaUpdates: learner.ema?.updates ?? 0,
    metricsRows: metrics.rows,
    overfit: run.overfit,
    metric: selectionMetric(recipe),
    ...(recipe.train.max_hours !== null && { seconds: run.seconds() }),
  };
  const { step, best } = progress;
  const tensors = await learnerTensors(learner);
  await refuseNotFinite(run, tensors);
  const metadata = run.metadata({ epoch, step });
  const dir = join(run.dir, "checkpoints");
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
  const dir = join(runDir, "checkpoints");
  const name = (await linkedCheckpoint(dir, "last")) ?? (await newestIntact(dir));
  if (!name) {
    throw new UserError(`The run ${runDir} has no checkpoint to continue from.`, {
      hint: `Start it again: rfdetr-train --recipe ${join(runDir, "recipe.yaml")} --run ${runDir}`,
    });
  }
  const checkpoint = await loadCheckpoint(join(dir, name));
  const state = { ...BEGINNING, metric: "AP50:95", ...checkpoint.state } as RunState; // older ones lack some fields
  await mendBest(dir, state);
  return { checkpoint, state };
}

/** A run that was killed between a checkpoint and its link lacks the newest `best`. */
async function mendBest(dir: string, { best }: RunState): Promise<void> {
  if (!best) return;
  const { name } = (await listCheckpoints(dir)).findLast((one) => one.step === best.step && one.score !== null) ?? {};
  if (name && (await linkedCheckpoint(dir, "best")) !== name) await linkCheckpoint(dir, "best", name);
}
