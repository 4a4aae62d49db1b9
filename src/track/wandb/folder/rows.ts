// Rows of metrics.jsonl as W&B wants them: one a step, flat, in order; and the summary of a run.

import { MAIN_METRIC } from "../../../instance/metrics.ts";
import type { MetricsRow } from "../../../run/events.ts";
import { pathOfMetric } from "../../../run/selection.ts";

/**
 * What W&B shows of one step: `epoch`, and numbers under `train/...`, `val/...` and `val/per_class/...`. All are finite.
 * `_step` counts optimizer updates. `_timestamp` are seconds since 1970, where the row of metrics.jsonl has its time, and
 * `_runtime` seconds since the run began (`withRuntime`).
 */
export type HistoryRow = { _step: number; epoch: number; [key: string]: number };

/** Takes rows of metrics.jsonl one after the other and gives whole steps. */
export type StepMerger = {
  /**
   * The step before this row's, which is whole now, or undefined where it is not. A row of an earlier step than one that
   * has been seen is left out: history goes forwards only.
   */
  push(row: MetricsRow): HistoryRow | undefined;
  /** The last step: what the run has, now that no row follows. */
  flush(): HistoryRow | undefined;
};

/** Training and evaluation rows of one step follow each other; they become one row, in which the later value wins. */
export function mergeSteps(): StepMerger {
  let current: HistoryRow | undefined;
  let last = Number.NEGATIVE_INFINITY;
  return {
    push(row) {
      if (row.step < last) return undefined;
      last = row.step;
      if (current?._step === row.step) {
        current = { ...current, ...timedRow(row) };
        return undefined;
      }
      const whole = current;
      current = timedRow(row);
      return whole;
    },
    flush() {
      const whole = current;
      current = undefined;
      return whole;
    },
  };
}

/** All steps of a run, ascending. Where a step is there twice, the later row of each split wins. */
export function historyRows(rows: readonly MetricsRow[]): HistoryRow[] {
  const steps = new Map<number, Map<string, MetricsRow>>();
  for (const row of rows) {
    const splits = steps.get(row.step) ?? new Map<string, MetricsRow>();
    steps.set(row.step, splits.set(row.split, row));
  }
  return [...steps]
    .sort(([a], [b]) => a - b)
    .map(([, splits]) => [...splits.values()].flatMap((row) => Object.entries(timedRow(row))))
    .map((entries) => Object.fromEntries(entries) as HistoryRow);
}

/**
 * One row under W&B's keys. What is no finite number is left out: metrics.jsonl has null both for a metric that could
 * not be measured and for a number that is none.
 */
export function flatRow(row: MetricsRow): HistoryRow {
  const { step, epoch, split, ...fields } = row;
  return Object.fromEntries([["_step", step], ["epoch", epoch], ...numbers(fields, split)]) as HistoryRow;
}

/** The same with its time. */
function timedRow(row: MetricsRow): HistoryRow {
  const written = typeof row.time === "string" ? Date.parse(row.time) / 1000 : Number.NaN;
  return Number.isFinite(written) ? { ...flatRow(row), _timestamp: written } : flatRow(row);
}

/** The row with its time since the run began, where its own time is known. `started`: milliseconds since 1970. */
export function withRuntime(row: HistoryRow, started: number): HistoryRow {
  const { _timestamp: written } = row;
  return written === undefined ? row : { ...row, _runtime: Math.max(0, written - started / 1000) };
}

/** Finite numbers below an object, by their path. */
function numbers(fields: object, path: string): [string, number][] {
  return Object.entries(fields).flatMap(([name, value]): [string, number][] => {
    if (typeof value === "number") return Number.isFinite(value) ? [[`${path}/${name}`, value]] : [];
    return typeof value === "object" && value !== null ? numbers(value, `${path}/${name}`) : [];
  });
}

/**
 * What a table of runs shows: the last value of every key, and under `best/...` the evaluation with the highest `metric`
 * (the first of equals, of those from the epoch `from` on), with its step and epoch. `AP:NAME` is the main metric of one class.
 */
export function summaryOf(rows: readonly MetricsRow[], options: Choice = {}): Record<string, number> {
  const summary = openSummary(options);
  for (const row of historyRows(rows)) summary.add(row);
  return summary.values();
}

/** Which metric chooses the best evaluation, and of which epoch (from 0) on. */
type Choice = { metric?: string; from?: number };

/** The same, step by step. */
export function openSummary({ metric = MAIN_METRIC, from = 0 }: Choice = {}) {
  const key = ["val", ...pathOfMetric(metric)].join("/");
  const last = new Map<string, number>();
  let best: Map<string, number> | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  return {
    /** The next step; steps ascend. */
    add(row: HistoryRow): void {
      for (const [name, value] of Object.entries(row)) last.set(name, value);
      const score = row[key] ?? Number.NEGATIVE_INFINITY;
      if (score <= highest || row.epoch < from) return;
      highest = score;
      const metrics = Object.entries(row)
        .filter(([name]) => /^val\/[^/]+$/.test(name)) // not those of single classes
        .map(([name, value]): [string, number] => [`best/${name.slice("val/".length)}`, value]);
      best = new Map([...metrics, ["best/step", row._step], ["best/epoch", row.epoch]]);
    },
    values: (): Record<string, number> => Object.fromEntries([...last, ...(best ?? [])]),
  };
}
