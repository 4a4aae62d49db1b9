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
} from "../checkpoint/store.ts";
import { UserError } from "../util/errors.ts";
import type { TrainEvent } from "./events.ts";
import { learnerTensors } from "./learner.ts";
import type { Run } from "./run.ts";

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
};

/** What state.json holds. */
export type RunState = Progress & { seed: number; emaUpdates: number; metricsRows: number; overfit: number | null };

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
  };
  const { step, best } = progress;
  const tensors = await learnerTensors(learner);
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

/** The checkpoint that a run goes on from: what `last` points to, or where that link is missing the newest intact one. */
export async function loadProgress(runDir: string): Promise<{ checkpoint: Checkpoint; state: RunState }> {
  const dir = join(runDir, "checkpoints");
  const name = (await linkedCheckpoint(dir, "last")) ?? (await newestIntact(dir));
  if (!name) {
    throw new UserError(`The run ${runDir} has no checkpoint to continue from.`, {
      hint: `Start it again: rfdetr-train --recipe ${join(runDir, "recipe.yaml")} --run ${runDir}`,
    });
  }
  const checkpoint = await loadCheckpoint(join(dir, name));
  const state = checkpoint.state as RunState;
  await mendBest(dir, state);
  return { checkpoint, state };
}

/** A run that was killed between a checkpoint and its link lacks the newest `best`. */
async function mendBest(dir: string, { best }: RunState): Promise<void> {
  if (!best) return;
  const { name } = (await listCheckpoints(dir)).findLast((one) => one.step === best.step && one.score !== null) ?? {};
  if (name && (await linkedCheckpoint(dir, "best")) !== name) await linkCheckpoint(dir, "best", name);
}
