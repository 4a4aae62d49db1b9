// What a run writes down as it goes: rows of metrics.jsonl, results.csv, the log.

import type { BrokenImage } from "../../loading/batch/batch.ts";
import type { MetricsRow, TrainEvent, TrainRow } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { readMetrics } from "../../run/records/metricsFile.ts";
import { resultsCsv } from "../../run/records/resultsCsv.ts";
import type { StepResult } from "../../step/step.ts";
import type { Window } from "../../step/windows.ts";
import { writeFileAtomic } from "../../util/files.ts";
import type { Run } from "../liveRun.ts";

/** The row of the step that has just been done. */
export function trainRow(
  run: Pick<Run, "progress" | "recipe" | "staging" | "workers">,
  result: StepResult,
  { batches, began }: Window,
  rateFactor: number,
): TrainRow {
  const { step, epoch } = run.progress;
  const { lr, lr_encoder } = run.recipe.train;
  const trains = [...run.staging.current.paths];
  const seconds = (performance.now() - began) / 1000;
  const sum = (of: (batch: Window["batches"][number]) => number) => batches.reduce((total, one) => total + of(one), 0);
  return {
    step,
    epoch,
    split: "train",
    time: new Date().toISOString(),
    loss: result.loss,
    ...(result.terms as Pick<TrainRow, "class_error">),
    grad_norm: result.gradNorm,
    lr: trains.some((path) => !path.startsWith("backbone.")) ? lr * rateFactor : 0,
    lr_encoder: trains.some((path) => path.startsWith("backbone.")) ? lr_encoder * rateFactor : 0,
    images_per_second: (run.workers.size * sum(({ files }) => files.length)) / seconds,
    data_wait: Math.min(1, sum(({ wait }) => wait) / seconds),
  };
}

/** Append a row to metrics.jsonl, then show it, and how gradients are distributed, wherever the run is shown. */
export async function record(
  run: Pick<Run, "metrics" | "tracker" | "log">,
  row: MetricsRow,
  histograms?: StepResult["histograms"],
): Promise<TrainEvent> {
  await run.metrics.append(row);
  run.tracker.row(row);
  if (histograms) run.tracker.histograms(row, histograms);
  if (row.split === "val") {
    const { per_class: _, ...metrics } = row;
    run.log.info("evaluated", metrics);
  }
  return { type: "row", row };
}

/** Write results.csv of a run folder again. */
export async function recordResults({ dir }: { dir: string }): Promise<void> {
  const rows = await readMetrics(runFiles(dir).metrics);
  await writeFileAtomic(runFiles(dir).results, resultsCsv(rows));
}

/** Something to tell people that also goes to the log. */
export function notice({ log }: Pick<Run, "log">, message: string): TrainEvent {
  log.info(message);
  return { type: "notice", message };
}

/** Seconds of preparing a recording that a user should know of. */
const LONG = 3;

/** What is recorded goes to the log; what is not, or takes long, is a notice, too. */
export function* followRecorder(run: Pick<Run, "log" | "stepSettings">): Generator<TrainEvent> {
  for (const { text, seconds } of run.stepSettings.recorder?.news() ?? []) {
    if (seconds === null || seconds > LONG) yield notice(run, text);
    else run.log.info(text);
  }
}

/** A warning that also goes to the log. */
export function warning({ log }: Pick<Run, "log">, message: string): TrainEvent {
  log.warn(message);
  return { type: "warning", message };
}

/** What a run was warned of already. */
const told = new WeakMap<object, Set<unknown>>();

/** A warning that a run gives once, whatever becomes of its words; `about` tells it from others. */
export function* warnOnce(
  run: Pick<Run, "log">,
  about: unknown,
  message: string,
): Generator<TrainEvent, void, undefined> {
  const already = told.get(run) ?? new Set();
  if (already.has(about)) return;
  told.set(run, already.add(about));
  yield warning(run, message);
}

/** A warning for each image that could not be read and was not reported before. */
export function* reportBroken(
  run: Pick<Run, "log" | "dir">,
  images: readonly BrokenImage[],
  what: string,
): Generator<TrainEvent, void, undefined> {
  for (const { imageId, message } of images) yield* warnOnce(run, imageId, `${message} ${what}`);
}
