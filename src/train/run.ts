// A recipe becomes a run: device, data, weights, the run's folder; then the loop. And a run goes on where it stopped.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { diskReserve } from "../checkpoint/store/reserve.ts";
import { listCheckpoints } from "../checkpoint/store/store.ts";
import { fromText } from "../checkpoint/weightsFile.ts";
import { ALONE } from "../distributed/workers.ts";
import { writeRecipe } from "../recipe/load.ts";
import type { Recipe } from "../recipe/schema.ts";
import { recipeDifference, shownValue } from "../report/recipeDifference.ts";
import type { EndStatus, MetricsRow, TrainEvent } from "../run/events.ts";
import { runFiles } from "../run/files.ts";
import { lockRun, refuseForeign, refuseInUse } from "../run/lock.ts";
import { openLog } from "../run/log.ts";
import { missingRows, openMetricsFile } from "../run/records/metricsFile.ts";
import { readSplit } from "../run/records/split.ts";
import { openRunFolder } from "../run/runFolder.ts";
import { selection } from "../run/selection.ts";
import { learnerBytes, restoreLearner } from "../step/learner.ts";
import { UserError } from "../util/errors.ts";
import { writeFileAtomic } from "../util/files.ts";
import type { Fact } from "../util/text/fact.ts";
import { withBatchSize } from "./auto/batchSize.ts";
import { withQuickest } from "./auto/quickest.ts";
import { follow, type TrainOptions } from "./ending/follow.ts";
import { testMissing } from "./ending/testMissing.ts";
import type { Parts, Run } from "./liveRun.ts";
import { assemble, closeParts } from "./parts.ts";
import { BEGINNING, endOf, type Progress, progressOf } from "./progress.ts";
import { recordResults, warning } from "./record/record.ts";
import { exportMissing } from "./record/runExport.ts";
import { finished, loadProgress, type SavedProgress, saveProgress } from "./record/saving.ts";
import { openTrackers } from "./record/trackers.ts";
import { changedData } from "./stages/sameData.ts";
import { type Beginning, requireSameProgram, shareState } from "./workers/beginning.ts";
import { trainAlong } from "./workers/follower.ts";

export type NewRunOptions = TrainOptions & {
  /** The run's folder; default: checkpoints/<name of the recipe>. */
  run?: string | undefined;
  /** Train and evaluate on the first so many training images, without augmentation: they should be learned by heart. */
  overfit?: number | undefined;
  /** Train on one batch and evaluate two images only, to see whether it all works. */
  dryRun?: boolean | undefined;
};

/**
 * Train a recipe. Yields the rows of metrics.jsonl as they are written; everything else is in the run's folder. Leaving
 * the iteration early stops the training without a checkpoint. Throws a UserError where the user can fix something.
 */
export async function* train(given: Recipe, options: NewRunOptions = {}): AsyncGenerator<MetricsRow, void, undefined> {
  const { run: dir = join("checkpoints", given.name), overfit = null, dryRun = false, ...rest } = options;
  const { signal, onEvent, workers = ALONE } = rest;
  requireSameProgram(workers, given);
  if (!workers.isFirst) return yield* trainAlong(dir, workers, rest);
  await refuseTaken(dir);
  const say = (message: string) => onEvent?.({ type: "notice", message });
  const sized = await withBatchSize(given, { most: dryRun ? 1 : overfit, signal, say });
  const { recipe, facts } = await withQuickest(sized.recipe, { untimed: dryRun, signal, say });
  workers.fromFirst<Beginning>({ recipe, overfit, progress: BEGINNING, goesOn: false, emaUpdates: 0 });
  const parts = await assemble(recipe, { overfit, dryRun, workers, signal, ...(onEvent && { onEvent }) });
  parts.facts.push(...sized.facts, ...facts);
  const orClose = async (cause: unknown): Promise<never> => {
    await closeParts(parts);
    throw cause;
  };
  const release = await lockRun(dir).catch(orClose);
  try {
    await refuseTaken(dir, { locked: true }).catch(orClose); // by another process, in the meantime
    await writeRecipe(runFiles(dir).recipe, recipe);
    await writeFileAtomic(runFiles(dir).environment, `${JSON.stringify(parts.environment, null, 2)}\n`);
    if (parts.heldBack) await writeFileAtomic(runFiles(dir).split, `${JSON.stringify(parts.heldBack)}\n`);
    const run = await open(dir, recipe, parts, { ...BEGINNING }, { overfit, dryRun, rows: 0, seconds: 0, onEvent });
    // a first checkpoint: from here on the run can be killed at any instant
    yield* follow(run, rest, saveProgress(run, { epoch: 0, epochEnd: false, score: null }));
  } finally {
    await release();
  }
}

/** Continue the run where its folder holds one, as its own recipe has it; else begin it. For whoever starts the same command again. */
export async function* trainOrResume(
  given: Recipe,
  options: NewRunOptions = {},
): AsyncGenerator<MetricsRow, void, undefined> {
  const { run: dir = join("checkpoints", given.name), workers = ALONE } = options;
  const goesOn = workers.fromFirst(workers.isFirst ? await holdsRun(dir) : undefined);
  if (!goesOn) return yield* train(given, options);
  if (workers.isFirst) options.onEvent?.({ type: "notice", message: await ofRun(dir, given) });
  yield* resume(dir, options);
}

/** That a run goes on as its own recipe has it, and what the recipe that was given says otherwise. */
async function ofRun(dir: string, given: Recipe): Promise<string> {
  const own = await (await openRunFolder(dir)).resolvedRecipe();
  const others = recipeDifference(own, given).filter(({ b }) => b !== "auto"); // which the run has decided on
  const keys = others.slice(0, 5).map(({ key, a, b }) => `${key} ${shownValue(b)} (the run: ${shownValue(a)})`);
  const more = others.length > keys.length ? ` and ${others.length - keys.length} more` : "";
  const unused = others.length === 0 ? "" : ` Not used, as the run began otherwise: ${keys.join(", ")}${more}.`;
  return `${dir} holds this run already: it goes on from its last checkpoint.${unused}`;
}

/** Most bytes of a checkpoint besides its tensors, and of rows that wait for it. */
const BESIDE_TENSORS = 1 << 20;

/** Throws a UserError where a new run in this folder would meet another process, another run, or files that are no run's. */
async function refuseTaken(dir: string, { locked = false } = {}): Promise<void> {
  if (!locked) await refuseInUse(dir);
  if (await holdsRun(dir)) {
    throw new UserError(`The folder ${dir} already holds a run.`, {
      hint: `Continue it with: rfdetr-train resume ${dir}. Or choose another folder with --run, or another name.`,
    });
  }
  await refuseForeign(dir);
}

/** Whether something would be lost if a run were written here. One that was stopped before its first checkpoint does not count. */
async function holdsRun(dir: string): Promise<boolean> {
  const metrics = await stat(runFiles(dir).metrics).catch(() => undefined);
  return (metrics?.size ?? 0) > 0 || (await listCheckpoints(runFiles(dir).checkpoints)).length > 0;
}

/**
 * Continue an interrupted run exactly where its last checkpoint was made. Yields the rows that it adds: where the run
 * is finished none, but that of its test split where that is missing.
 */
export async function* resume(
  dir: string,
  options: TrainOptions & Pick<NewRunOptions, "dryRun"> = {},
): AsyncGenerator<MetricsRow, void, undefined> {
  const { workers = ALONE } = options;
  requireSameProgram(workers, null);
  yield* workers.isFirst ? whileLocked(dir, () => resumeLocked(dir, options)) : trainAlong(dir, workers, options);
}

async function* resumeLocked(
  dir: string,
  options: TrainOptions & Pick<NewRunOptions, "dryRun">,
): AsyncGenerator<MetricsRow, void, undefined> {
  const { recipe, saved } = await readRun(dir);
  const { step, best, seconds = 0 } = saved.state;
  const reason = finished(recipe, saved.state);
  const { workers = ALONE } = options;
  if (reason !== null) {
    workers.fromFirst<Beginning | null>(null);
    const folder = await openRunFolder(dir);
    const missing = await folder.missing(await folder.rows());
    if (missing) options.onEvent?.({ type: "warning", message: missing });
    else await recordResults({ dir });
    for await (const event of testMissing(dir, recipe, saved.state, options)) {
      options.onEvent?.(event);
      if (event.type === "row") yield event.row;
    }
    for await (const event of exportMissing(dir, recipe, options)) options.onEvent?.(event);
    workers.sum([0]);
    const hint = `To train it longer: rfdetr-train extend ${dir} --epochs N`;
    options.onEvent?.({ type: "notice", message: `This run is finished: ${reason}. ${hint}` });
    options.onEvent?.(endOf("done", { dir, recipe, step, best }));
    return;
  }
  const hours = recipe.train.max_hours;
  if (hours !== null && seconds >= hours * 3600) {
    throw new UserError(`The run ${dir} has used up its ${hours} hours (train.max_hours).`, {
      hint: `Give it more in all: rfdetr-train extend ${dir} --max-hours ${Math.ceil(hours * 2)}`,
    });
  }
  const facts = [restored(saved), { name: "Overridden", value: `nothing, the recipe is ${runFiles(dir).recipe}` }];
  yield* follow(await reopen(dir, recipe, saved, { ...options, facts }), options);
}

/** The rows of a run that no other process writes meanwhile. Throws a UserError where one does, or the folder is no run's. */
export async function* whileLocked(
  dir: string,
  rows: () => AsyncGenerator<MetricsRow, void, undefined>,
): AsyncGenerator<MetricsRow, void, undefined> {
  const release = await lockRun(await requireRun(dir));
  try {
    yield* rows();
  } finally {
    await release();
  }
}

/** The folder, where it is a run's. Throws a UserError where it is none: nothing is written into such a one. */
export async function requireRun(dir: string): Promise<string> {
  await openRunFolder(dir);
  return dir;
}

/** The recipe of a run folder and the checkpoint that it goes on from. */
export async function readRun(dir: string): Promise<{ recipe: Recipe; saved: SavedProgress }> {
  const recipe = await (await openRunFolder(dir)).resolvedRecipe();
  const saved = await loadProgress(dir);
  const metric = selection(recipe).metric;
  if (saved.state.best && saved.state.metric !== metric) {
    throw new UserError(
      `The run ${dir} chose its best checkpoint by ${saved.state.metric}, its recipe says ${metric}.`,
      {
        hint: "The two cannot be compared. Put selection and early_stopping in recipe.yaml back, or start a new run from these weights.",
      },
    );
  }
  return { recipe, saved };
}

/** What a run goes on with. */
export function restored({ checkpoint, state }: SavedProgress): Fact {
  const { step, epoch, batch, emaUpdates, best } = state;
  const parts = [
    "weights, optimizer",
    ...(emaUpdates > 0 ? [`moving average (${emaUpdates} updates)`] : []),
    `position (${step} steps done, next is batch ${batch + 1} of epoch ${epoch + 1})`,
    ...(best ? [`best ${state.metric} (${best.score.toFixed(3)})`] : []),
  ];
  return { name: `Restored from checkpoint ${checkpoint.name}`, value: parts.join(", ") };
}

/** A run as its checkpoint has it, under a recipe that may differ from the one it was made with. */
export async function reopen(
  dir: string,
  recipe: Recipe,
  { checkpoint, state }: SavedProgress,
  { onEvent, dryRun = false, workers = ALONE, facts = [] }: Pick<NewRunOptions, "onEvent" | "dryRun" | "workers"> & { facts?: Fact[] }, // biome-ignore format: one line
): Promise<Run> {
  const { model, ema, optimizer } = checkpoint.tensors;
  if (!model || !optimizer) {
    throw new UserError(`The checkpoint ${join(runFiles(dir).checkpoints, "last")} lacks the optimizer's state.`, {
      hint: "It can be evaluated or used as weights, but not be continued.",
    });
  }
  const { overfit, metricsRows: rows, seconds = 0 } = state;
  const { classNames } = fromText(dir, checkpoint.metadata);
  const { emaUpdates } = state;
  const [progress, kept] = [progressOf(state), await readSplit(dir)];
  const goesOn = workers.fromFirst<Beginning>({
    recipe,
    overfit,
    progress,
    goesOn: true,
    emaUpdates,
    classNames,
    kept,
  });
  const parts = await assemble(recipe, { ...goesOn, dryRun, workers, model, epoch: state.epoch, ...(onEvent && { onEvent }) }); // biome-ignore format: one line
  parts.facts.push(...facts, ...(await changedData(dir, parts.environment)));
  restoreLearner(parts.learner, shareState(workers, ema ? { model, optimizer, ema } : { model, optimizer }), emaUpdates); // biome-ignore format: one line
  return open(dir, recipe, parts, progress, { overfit, dryRun, rows, seconds, onEvent });
}

async function open(
  dir: string,
  recipe: Recipe,
  parts: Parts,
  progress: Progress,
  {
    overfit,
    dryRun,
    rows,
    seconds,
    onEvent,
  }: Pick<Run, "overfit"> & Pick<TrainOptions, "onEvent"> & { dryRun: boolean; rows: number; seconds: number },
): Promise<Run> {
  const metrics = await openMetricsFile(runFiles(dir).metrics, { rows, throughStep: progress.step }).catch(
    async (error) => {
      await closeParts(parts);
      throw error;
    },
  );
  const log = openLog(runFiles(dir).log);
  const missing = missingRows(runFiles(dir).metrics, { rows: metrics.rows, counted: rows });
  if (missing) onEvent?.(warning({ log }, missing));
  const end = (status: EndStatus): TrainEvent => {
    log.info(status, { step: progress.step });
    return endOf(status, { dir, recipe, ...progress });
  };
  const began = performance.now();
  const clock = () => seconds + (performance.now() - began) / 1000;
  const reserve = diskReserve(runFiles(dir).checkpoints, dryRun ? 0 : learnerBytes(parts.learner) + BESIDE_TENSORS);
  const run = { ...parts, dir, recipe, progress, metrics, log, reserve, overfit, seconds: clock, end };
  return { ...run, tracker: openTrackers(run, onEvent) };
}
