// Rows of metrics.jsonl as the columns that charts draw: few enough points, however long the run was.

import { FURTHER_METRICS, measuredSummary } from "../instance/metrics.ts";
import type { MetricsRow, TrainRow } from "../run/events.ts";
import { isObject } from "../util/untrusted/json.ts";

/** Points of a curve of training; more rows are averaged. */
const MOST_POINTS = 360;
/** Evaluations in full; of more, some are left out. */
const MOST_EVALUATIONS = 400;

export type Series = {
  /** Epochs done, with a fraction, where that is known; else steps. */
  x: number[];
  step: number[];
  epoch: number[];
  values: Record<string, (number | null)[]>;
};

export type RunSeries = {
  unit: "epoch" | "step";
  train: Series;
  val: Series;
  /** The loss at the ends of epochs, as the mean of their steps (`training`), and of evaluations (`validation`). */
  losses: Series;
  /** The main metric by class, at the places of `val`. */
  perClass: Record<string, (number | null)[]>;
};

/** Columns of a run. `stepsPerEpoch` is taken from the rows where it is not known; `perClass`: where a row has its main metric by class. */
export function runSeries(
  rows: readonly MetricsRow[],
  {
    stepsPerEpoch = stepsOfEpoch(rows),
    perClass = "per_class",
  }: { stepsPerEpoch?: number | undefined; perClass?: string } = {},
): RunSeries {
  const toX = (step: number) => (stepsPerEpoch === undefined ? step : step / stepsPerEpoch);
  const train = rows.filter((row) => row.split === "train");
  const val = thinned(rows.filter((row) => row.split === "val"));
  const further = FURTHER_METRICS.filter((name) => val.some((row) => isNumber(row[name])));
  const columns = [...measuredSummary(val), ...further];
  const byClass = val.map((row) => classValues(row, perClass));
  const classes = new Set(byClass.flatMap(Object.keys));
  return {
    unit: stepsPerEpoch === undefined ? "step" : "epoch",
    train: trainSeries(train, toX),
    val: {
      ...{ x: val.map(({ step }) => precise(toX(step))!), step: val.map(({ step }) => step) },
      epoch: val.map(({ epoch }) => epoch),
      values: Object.fromEntries(columns.map((name) => [name, val.map((row) => precise(row[name]))])),
    },
    losses: lossSeries(rows, toX),
    perClass: Object.fromEntries([...classes].map((name) => [name, byClass.map((values) => precise(values[name]))])),
  };
}

/** A metric by class of a row, under the key that it has there. */
export function classValues(row: object | null, key: string): Record<string, number | null> {
  const values = (row as Record<string, unknown> | null)?.[key];
  return isObject(values) ? (values as Record<string, number | null>) : {};
}

/** Means over runs of neighbouring rows. Learning rates are the last of theirs, since they jump where a stage begins. */
function trainSeries(rows: readonly TrainRow[], toX: (step: number) => number): Series {
  const length = Math.max(1, Math.ceil(rows.length / MOST_POINTS));
  const groups: TrainRow[][] = [];
  for (let i = 0; i < rows.length; i += length) groups.push(rows.slice(i, i + length));
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  for (const name of ["step", "epoch", "split", "time", "epoch_mean"]) names.delete(name);
  const last = groups.map((group) => group.at(-1)!);
  return {
    x: last.map(({ step }) => precise(toX(step))!),
    step: last.map(({ step }) => step),
    epoch: last.map(({ epoch }) => epoch),
    values: Object.fromEntries(
      [...names].map((name) => [
        name,
        name.startsWith("lr")
          ? last.map((row) => precise(field(row, name)))
          : groups.map((group) => precise(mean(group.map((row) => field(row, name))))),
      ]),
    ),
  };
}

function lossSeries(rows: readonly MetricsRow[], toX: (step: number) => number): Series {
  const places = new Map<number, { step: number; epoch: number; training?: unknown; validation?: unknown }>();
  for (const row of rows) {
    const { step, epoch } = row;
    const loss =
      row.split === "train" ? { training: row.epoch_mean?.loss } : row.split === "val" && { validation: row.val_loss };
    if (loss && isNumber(Object.values(loss)[0])) places.set(step, { ...places.get(step), ...loss, step, epoch });
  }
  const shown = thinned([...places.values()]);
  return {
    x: shown.map(({ step }) => precise(toX(step))!),
    step: shown.map(({ step }) => step),
    epoch: shown.map(({ epoch }) => epoch),
    values: {
      training: shown.map(({ training }) => precise(training)),
      validation: shown.map(({ validation }) => precise(validation)),
    },
  };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function field(row: TrainRow, name: string): unknown {
  return (row as unknown as Record<string, unknown>)[name];
}

function mean(values: readonly unknown[]): number | null {
  const numbers = values.filter(isNumber);
  return numbers.length === 0 ? null : numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/** Evenly spread places, the last one always. */
function thinned<Row>(rows: readonly Row[]): Row[] {
  const every = Math.ceil(rows.length / MOST_EVALUATIONS);
  return rows.filter((_, i) => (rows.length - 1 - i) % every === 0);
}

/** Five digits are more than a chart can show. */
function precise(value: unknown): number | null {
  return isNumber(value) ? Number(value.toPrecision(5)) : null;
}

/** Updates of an epoch, from an evaluation at the end of one that was not the last; undefined where there is none. */
function stepsOfEpoch(rows: readonly MetricsRow[]): number | undefined {
  const last = rows.at(-1);
  const whole = rows.find((row) => row.split === "val" && row.epoch < last!.epoch);
  return whole && whole.step / (whole.epoch + 1);
}
