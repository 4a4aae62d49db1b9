// How a run stands at a moment: running, evaluating, ended, or ended without a word; how far it is, and how long it may take.

import { MAIN_METRIC } from "../../instance/metrics.ts";
import type { MetricsRow, TrainRow } from "../../run/events.ts";
import type { RunContents } from "../../run/runFolder.ts";
import type { RunStatus } from "../../run/runLog.ts";

export type Moment = {
  /** `starting`: no step has been recorded; `finishing`: all are done and evaluated. */
  state: RunStatus | "starting" | "evaluating" | "finishing";
  /** The last step that was recorded, its epoch (from 0), and how many there are to be; null where that is not known. */
  step: number;
  epoch: number;
  size: { steps: number; epochs: number } | null;
  /** Seconds until all steps are done; null where that cannot be told, and where the run does not go on. */
  secondsLeft: number | null;
  /** Seconds since the last row, where that is much longer than usual. */
  silent: number | null;
  last: TrainRow | null;
};

/** Rows over which the pace is measured: those of two epochs, so that an evaluation is among them, and at least so many steps. */
const LEAST_STEPS = 50;
/** Rows that are late by so many times their usual distance, and by so many seconds, are missed. */
const LATE = { times: 5, seconds: 60 };

/** `now` in milliseconds. */
export function momentOf(
  { rows, log, recipe }: Pick<RunContents, "rows" | "log" | "recipe">,
  { now }: { now: number },
): Moment {
  const last = rows.at(-1);
  const goesOn = log.status === "running";
  const pace = goesOn ? paceOf(rows, log) : null;
  const since = pace && (now - pace.until) / 1000;
  const state = goesOn ? stateOf(rows, recipe, log) : log.status;
  const left = pace && log.size && last && pace.seconds * (log.size.totalSteps - last.step) - since!;
  const late = pace !== null && since! > Math.max(LATE.seconds, LATE.times * pace.distance);
  return {
    ...{ state, step: last?.step ?? 0, epoch: last?.epoch ?? 0 },
    size: log.size && { steps: log.size.totalSteps, epochs: log.size.epochs },
    secondsLeft: left === null || left === undefined || last?.step === log.size?.totalSteps ? null : Math.max(0, left),
    silent: late ? since : null,
    last: rows.findLast((row): row is TrainRow => row.split === "train") ?? null,
  };
}

/** Seconds a step and from row to row, evaluations included, since the run (re)started last; until when, in milliseconds. */
function paceOf(
  rows: readonly MetricsRow[],
  { size, events }: RunContents["log"],
): { seconds: number; distance: number; until: number } | null {
  const begin = events.findLast(({ message }) => /^(Started|Resumed)/.test(message));
  const since = begin ? Date.parse(begin.time) : Number.NEGATIVE_INFINITY;
  const window = Math.max(LEAST_STEPS, 2 * (size?.stepsPerEpoch ?? 0));
  const end = rows.at(-1);
  const until = Date.parse(end?.time ?? "");
  if (!end || !(until >= since)) return null;
  let first = rows.length - 1;
  while (first > 0 && end.step - rows[first - 1]!.step <= window && Date.parse(rows[first - 1]!.time ?? "") >= since)
    first--;
  const seconds = (until - Date.parse(rows[first]!.time!)) / 1000;
  const steps = end.step - rows[first]!.step;
  return steps > 0 ? { seconds: seconds / steps, distance: seconds / (rows.length - 1 - first), until } : null;
}

/** Of a run that goes on: an evaluation follows the row of an epoch's last step, where the recipe has one there. */
function stateOf(
  rows: readonly MetricsRow[],
  recipe: Record<string, unknown>,
  { size }: RunContents["log"],
): Moment["state"] {
  const last = rows.at(-1);
  if (!last) return "starting";
  if (last.split !== "train") return last.step === size?.totalSteps ? "finishing" : "running";
  if (last.epoch_mean === undefined) return "running";
  const every = (recipe.eval as { every_epochs?: unknown } | undefined)?.every_epochs;
  const isDue = typeof every === "number" && (last.epoch + 1) % every === 0;
  return isDue || last.step === size?.totalSteps ? "evaluating" : "running";
}

/** The main metric of each evaluation, in their order. */
export function scoresOf({ rows, metric }: Pick<RunContents, "rows" | "metric">): number[] {
  const name = rows.some((row) => row.split === "val" && metric in row) ? metric : MAIN_METRIC;
  return rows.flatMap((row) => {
    const value = row.split === "val" ? (row as unknown as Record<string, unknown>)[name] : undefined;
    return typeof value === "number" ? [value] : [];
  });
}
