import { expect, test } from "vitest";
import type { MetricsRow } from "../../run/events.ts";
import type { RunContents } from "../../run/runFolder.ts";
import { asHeld, type RunStatus } from "../../run/runLog.ts";
import { placeOf } from "../pages/panel.ts";
import { momentOf } from "./moment.ts";

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + 1000 * seconds).toISOString();
const row = (step: number, seconds: number, more: object = {}) =>
  ({
    step,
    epoch: Math.floor((step - 1) / 100),
    split: "train",
    loss: 3,
    time: at(seconds),
    ...more,
  }) as unknown as MetricsRow;
const log = (
  status: RunStatus = "running",
  events: [seconds: number, message: string][] = [[0, "Started, at step 0"]],
) =>
  ({
    ...{ status, size: { epochs: 5, stepsPerEpoch: 100, totalSteps: 500 } },
    events: events.map(([seconds, message]) => ({ time: at(seconds), level: "info", message })),
  }) as RunContents["log"];
const moment = (
  rows: MetricsRow[],
  now: number,
  { isHeld = true, status = "running" as RunStatus, events = undefined as [number, string][] | undefined } = {},
) =>
  momentOf(
    { rows, log: asHeld(log(status, events), isHeld), recipe: { eval: { every_epochs: 2 } } },
    { now: Date.parse(at(now)) },
  );

const steady = Array.from({ length: 25 }, (_, i) => row(10 * (i + 1), 20 * (i + 1))); // two seconds a step

test("the time left follows the pace of the last epochs, and what has gone since the last row counts", () => {
  expect(moment(steady, 500)).toMatchObject({ state: "running", step: 250, epoch: 2, secondsLeft: 500, silent: null });
  expect(moment(steady, 510).secondsLeft).toBe(490);
  const slower = [...steady, ...Array.from({ length: 20 }, (_, i) => row(250 + 10 * (i + 1), 500 + 100 * (i + 1)))];
  expect(moment(slower, 2500).secondsLeft).toBe(500); // ten seconds a step now
  expect(placeOf(moment(steady, 500))).toEqual(["epoch 3 of 5", "step 250 of 500", "about 8 min left"]);
});

test("a stop and a resume between two rows is no part of the pace", () => {
  const events: [number, string][] = [
    [0, "Started, at step 0"],
    [9000, "Resumed, at step 250"],
  ];
  const later = [...steady, row(260, 9020), row(270, 9040)];
  expect(moment(later, 9040, { events })).toMatchObject({ state: "running", secondsLeft: 460 });
  expect(moment(steady, 9001, { events }).secondsLeft).toBeNull(); // no row since
});

test("a run that is silent for much longer than usual says so, one that is slow does not", () => {
  expect(moment(steady, 500 + 90).silent).toBeNull();
  expect(moment(steady, 500 + 130).silent).toBe(130);
  expect(moment([row(1, 10), row(2, 20)], 75).silent).toBeNull();
});

test("states: starting, evaluating where the recipe has an evaluation, gone where nobody writes, else what the log says", () => {
  expect(moment([], 5)).toMatchObject({ state: "starting", secondsLeft: null, step: 0 });
  const epochEnd = (step: number) => [...steady, row(step, 900, { epoch_mean: { steps: 100, loss: 3 } })];
  expect(moment(epochEnd(300), 900).state).toBe("running"); // every second epoch only
  expect(moment(epochEnd(400), 900).state).toBe("evaluating");
  expect(moment(epochEnd(500), 900).state).toBe("evaluating"); // the last one always
  const evaluated = { ...row(500, 950), split: "val" } as MetricsRow;
  expect(moment([...epochEnd(500), evaluated], 960)).toMatchObject({ state: "finishing", secondsLeft: null });
  expect(moment(steady, 500, { isHeld: false })).toMatchObject({ state: "gone", secondsLeft: null, silent: null });
  for (const status of ["done", "interrupted", "failed", "out-of-time"] as const)
    expect(moment(steady, 500, { status, isHeld: false })).toMatchObject({ state: status, secondsLeft: null });
});

test("rows of older versions have no times: nothing is said of the time left", () => {
  const old = steady.map(({ time: _, ...rest }) => rest) as MetricsRow[];
  expect(moment(old, 500)).toMatchObject({ state: "running", secondsLeft: null, silent: null });
});
