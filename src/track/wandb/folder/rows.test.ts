import { expect, test } from "vitest";
import type { MetricsRow, TrainRow, ValRow } from "../../../run/events.ts";
import { historyRows, mergeSteps, summaryOf, withRuntime } from "./rows.ts";

const train = (step: number, loss: number, more: object = {}): MetricsRow =>
  ({ step, epoch: Math.floor(step / 10), split: "train", loss, ...more }) as TrainRow;
const val = (step: number, ap: number | null, more: object = {}): ValRow => ({
  ...{ step, epoch: Math.floor(step / 10), split: "val", "AP50:95": ap, AP50: 0.5, AP75: null, AR: 0.25 },
  ...{ per_class: { tree: ap, "oak/red": null, __proto__x: 0.125 }, ...more },
});

test("training and evaluation rows of one step become one row with keys by split", () => {
  expect(historyRows([train(3, 1.5), train(7, 1.25), val(7, 0.75)])).toEqual([
    { _step: 3, epoch: 0, "train/loss": 1.5 },
    {
      ...{ _step: 7, epoch: 0, "train/loss": 1.25, "val/AP50:95": 0.75, "val/AP50": 0.5, "val/AR": 0.25 },
      ...{ "val/per_class/tree": 0.75, "val/per_class/__proto__x": 0.125 },
    },
  ]);
});

test("a step has the time of its last row, and where that is not known none", () => {
  const [one, two] = historyRows([
    train(3, 1.5, { time: "2026-01-02T03:04:05.500Z" }),
    val(3, 0.5, { time: "2026-01-02T03:04:09.250Z" }),
    train(4, 1, { time: "yesterday" }),
  ]);
  const began = Date.UTC(2026, 0, 2, 3, 4, 0);
  expect(one).toMatchObject({ _timestamp: began / 1000 + 9.25, "train/loss": 1.5 });
  expect(withRuntime(one!, began)).toEqual({ ...one, _runtime: 9.25 });
  expect(two).toEqual({ _step: 4, epoch: 0, "train/loss": 1 });
  expect(withRuntime(two!, began)).toEqual(two);
});

test("an evaluation of a step without a training row is a row of its own", () => {
  expect(historyRows([train(10, 1), val(13, 0.5)]).map(({ _step }) => _step)).toEqual([10, 13]);
});

test("of a step that is there twice the later row of each split wins, and steps ascend", () => {
  const rows = historyRows([train(1, 4), train(2, 3), val(2, 0.1), train(1, 2), train(2, 1)]);
  expect(rows.map((row) => [row._step, row["train/loss"], row["val/AP50:95"]])).toEqual([
    [1, 2, undefined],
    [2, 1, 0.1],
  ]);
});

test("what is no finite number is left out, and a class named __proto__ is a name as any other", () => {
  const hostile = JSON.parse('{"__proto__": 0.5, "nan": null}') as Record<string, number | null>;
  const [row] = historyRows([
    train(1, Number.NaN, { grad_norm: Number.POSITIVE_INFINITY, lr: 2 }),
    val(1, null, { per_class: hostile }),
  ]);
  expect(Object.keys(row!)).toEqual(["_step", "epoch", "train/lr", "val/AP50", "val/AR", "val/per_class/__proto__"]);
  expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
});

test("the merger gives a step when the next one begins, and the last one at the end", () => {
  const merger = mergeSteps();
  const rows = [train(3, 1.5), train(7, 1.25), val(7, 0.75), train(12, 1)];
  const pushed = rows.map((row) => merger.push(row)?._step);
  expect(pushed).toEqual([undefined, 3, undefined, 7]);
  expect(merger.flush()?._step).toBe(12);
  expect(merger.flush()).toBeUndefined();
});

test("the merger gives the same rows as the whole file does, and never goes back", () => {
  const rows = [train(1, 4), train(2, 3), val(2, 0.1), train(5, 2), val(9, 0.25)];
  const merger = mergeSteps();
  const merged = rows.flatMap((row) => merger.push(row) ?? []);
  expect(merger.push(train(4, 1))).toBeUndefined();
  expect([...merged, merger.flush()]).toEqual(historyRows(rows));
  expect(merger.push(train(8, 1))).toBeUndefined();
  expect(merger.flush()).toBeUndefined();
});

test("the summary has the last value of every key and the first best evaluation", () => {
  const rows = [train(5, 3), val(10, 0.5), train(15, 2), val(20, 0.75), val(30, 0.75), train(35, 1), val(40, 0.25)];
  expect(summaryOf(rows)).toMatchObject({
    ...{ _step: 40, epoch: 4, "train/loss": 1, "val/AP50:95": 0.25 },
    ...{ "best/AP50:95": 0.75, "best/AR": 0.25, "best/step": 20, "best/epoch": 2 },
  });
  expect(Object.keys(summaryOf(rows)).filter((key) => key.startsWith("best/per_class"))).toEqual([]);
});

test("the metric that decides which evaluation is best can be chosen", () => {
  const rows = [val(10, 0.5, { AP50: 0.6 }), val(20, 0.25, { AP50: 0.9 })];
  expect(summaryOf(rows, { metric: "AP50" })).toMatchObject({ "best/step": 20, "best/AP50:95": 0.25 });
});

test("the AP of one class can decide, too", () => {
  const rows = [val(10, 0.5, { per_class: { "oak/red": 0.25 } }), val(20, 0.25, { per_class: { "oak/red": 0.75 } })];
  expect(summaryOf(rows, { metric: "AP:oak/red" })).toMatchObject({ "best/step": 20 });
});

test("a run that was never evaluated has a summary without a best", () => {
  expect(summaryOf([train(1, 3), val(2, null)])).not.toHaveProperty("best/step");
  expect(summaryOf([])).toEqual({});
});
