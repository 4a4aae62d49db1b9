// A recipe becomes a run: device, data, weights, the run's folder; then the loop. And a run goes on where it stopped.

import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { listCheckpoints } from "../checkpoint/store.ts";
import { loadRecipe, writeRecipe } from "../recipe/load.ts";
import type { Recipe } from "../recipe/schema.ts";
import { openLog } from "../track/log.ts";
import { openMetricsFile } from "../track/metricsFile.ts";
import { UserError } from "../util/errors.ts";
import { fileError, writeFileAtomic } from "../util/files.ts";
import type { MetricsRow, TrainEvent } from "./events.ts";
import { restoreLearner } from "./learner.ts";
import { loop } from "./loop.ts";
import { assemble, closeParts, type Parts } from "./parts.ts";
import { loadProgress, type Progress, saveProgress } from "./saving.ts";

/** All that the loop works with; `progress` and what `learner` holds change as it goes. */
export type Run = Parts & {
  dir: string;
  recipe: Recipe;
  progress: Progress;
  metrics: Awaited<ReturnType<typeof openMetricsFile>>;
  log: ReturnType<typeof openLog>;
  /** Train and evaluate on this many images only. */
  overfit: number | null;
  end(status: "done" | "interrupted"): TrainEvent;
};

export type TrainOptions = {
  /** Stops the run after the step that is under way, with a checkpoint. */
  signal?: AbortSignal | undefined;
  /** Called with everything that happens, rows included. */
  onEvent?: ((event: TrainEvent) => void) | undefined;
};

export type NewRunOptions = TrainOptions & {
  /** The run's folder; default: checkpoints/<name of the recipe>. */
  run?: string | undefined;
  /** Train and evaluate on the first so many training images, without augmentation: they should be learned by heart. */
  overfit?: number | undefined;
};

/**
 * Train a recipe. Yields the rows of metrics.jsonl as they are written; everything else is in the run's folder. Leaving
 * the iteration early stops the training without a checkpoint. Throws a UserError where the user can mend something.
 */
export async function* train(recipe: Recipe, options: NewRunOptions = {}): AsyncGenerator<MetricsRow, void, undefined> {
  const { run: dir = join("checkpoints", recipe.name), overfit = null, signal, onEvent } = options;
  if (await holdsRun(dir)) {
    throw new UserError(`The folder ${dir} already holds a run.`, {
      hint: `Continue it with: rfdetr-train resume ${dir}. Or choose another folder with --run, or another name.`,
    });
  }
  const parts = await assemble(recipe, { overfit, signal, ...(onEvent && { onEvent }) });
  await mkdir(dir, { recursive: true }).catch((cause) => {
    throw fileError(dir, "write", cause);
  });
  await writeRecipe(join(dir, "recipe.yaml"), recipe);
  await writeFileAtomic(join(dir, "environment.json"), `${JSON.stringify(parts.environment, null, 2)}\n`);
  const progress: Progress = { epoch: 0, batch: 0, step: 0, skipped: 0, best: null };
  const run = await open(dir, recipe, parts, progress, { overfit, rows: 0 });
  // a first checkpoint: from here on the run can be killed at any instant
  yield* follow(run, { signal, onEvent }, saveProgress(run, { epoch: 0, epochEnd: false, score: null }));
}

/** Whether something would be lost if a run were written here. One that was stopped before its first checkpoint does not count. */
async function holdsRun(dir: string): Promise<boolean> {
  const metrics = await stat(join(dir, "metrics.jsonl")).catch(() => undefined);
  return (metrics?.size ?? 0) > 0 || (await listCheckpoints(join(dir, "checkpoints"))).length > 0;
}

/** Continue an interrupted run exactly where its last checkpoint was made. Yields the rows that it adds. */
export async function* resume(dir: string, options: TrainOptions = {}): AsyncGenerator<MetricsRow, void, undefined> {
  const { signal, onEvent } = options;
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder || !existsSync(join(dir, "recipe.yaml"))) {
    throw new UserError(`${dir} is no run: ${isFolder ? "it has no recipe.yaml" : "there is no such folder"}.`, {
      hint: "Name the folder that rfdetr-train wrote, such as checkpoints/trees.",
    });
  }
  const recipe = await loadRecipe(join(dir, "recipe.yaml"));
  const { checkpoint, state } = await loadProgress(dir);
  const { model, ema, optimizer } = checkpoint.tensors;
  if (!model || !optimizer) {
    throw new UserError(`The checkpoint ${join(dir, "checkpoints", "last")} lacks the optimizer's state.`, {
      hint: "It can be evaluated or used as weights, but not be continued.",
    });
  }
  const parts = await assemble(recipe, { overfit: state.overfit, model, ...(onEvent && { onEvent }) });
  restoreLearner(parts.learner, ema ? { optimizer, ema } : { optimizer }, state.emaUpdates);
  const { epoch, batch, step, skipped, best } = state;
  const run = await open(
    dir,
    recipe,
    parts,
    { epoch, batch, step, skipped, best },
    { overfit: state.overfit, rows: state.metricsRows },
  );
  yield* follow(run, { signal, onEvent });
}

async function open(
  dir: string,
  recipe: Recipe,
  parts: Parts,
  progress: Progress,
  { overfit, rows }: { overfit: number | null; rows: number },
): Promise<Run> {
  const metrics = await openMetricsFile(join(dir, "metrics.jsonl"), { rows }).catch(async (error) => {
    await closeParts(parts);
    throw error;
  });
  const log = openLog(join(dir, "log.jsonl"));
  const end = (status: "done" | "interrupted"): TrainEvent => {
    log.info(status, { step: progress.step });
    return { type: "end", status, run: dir, step: progress.step, best: progress.best?.score ?? null };
  };
  return { ...parts, dir, recipe, progress, metrics, log, overfit, end };
}

/** Run the loop, pass its events on, yield its rows, and close everything in the end, whatever the end is. */
async function* follow(
  run: Run,
  { signal, onEvent }: TrainOptions,
  begin?: Promise<TrainEvent>,
): AsyncGenerator<MetricsRow, void, undefined> {
  try {
    await begin;
    const { step } = run.progress;
    run.log.info(step === 0 ? "started" : "resumed", { step, facts: run.facts });
    onEvent?.({ type: "start", run: run.dir, facts: run.facts, size: { ...run.size, stepsDone: step } });
    for await (const event of loop(run, signal)) {
      onEvent?.(event);
      if (event.type === "row") yield event.row;
    }
  } catch (error) {
    run.log.error("failed", { error });
    throw error;
  } finally {
    await run.metrics.close();
    await closeParts(run);
    run.log.close();
  }
}
