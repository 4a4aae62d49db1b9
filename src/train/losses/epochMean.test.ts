import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { TrainEvent, TrainRow } from "../../run/events.ts";
import { readMetrics } from "../../run/records/metricsFile.ts";
import { resume, train } from "../run.ts";
import { extend } from "../verbs/extend.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "epoch-mean-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Epochs of five steps; rows of steps 4 and 8, and evaluations after every second epoch. */
const recipe = (train: object = {}) =>
  tinyRecipe(join(dir, "data"), {
    train: { epochs: 3, ...train },
    eval: { every_epochs: 2 },
    track: { every_steps: 4 },
  });

const stepsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "step" ? [event.row] : []));
const losses = (rows: readonly TrainRow[]) => rows.map(({ loss }) => loss);
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** The cells of results.csv by the names of their columns, row by row. */
async function results(run: string): Promise<Record<string, string>[]> {
  const [header, ...lines] = (await readFile(join(run, "results.csv"), "utf8")).trimEnd().split("\n");
  const names = header!.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((cell, i) => [names[i]!, cell])));
}

let whole: TrainEvent[];
test("each epoch has a row with the mean of its steps, also where none of them was to be recorded", async () => {
  const run = join(dir, "whole");
  whole = (await collect((options) => train(recipe(), { run, ...options }))).events;
  const steps = stepsOf(whole);
  const rows = (await readMetrics(join(run, "metrics.jsonl"))).filter((row) => row.split === "train");
  expect(rows.map(({ step }) => step)).toEqual([4, 5, 8, 10, 12, 15]);
  expect(rows.map((row) => row.epoch_mean?.steps)).toEqual([undefined, 5, undefined, 5, undefined, 5]);
  const epochs = [0, 1, 2].map((epoch) => steps.slice(5 * epoch, 5 * epoch + 5));
  for (const [i, row] of rows.filter(({ epoch_mean }) => epoch_mean).entries()) {
    expect(row.epoch_mean!.loss).toBeCloseTo(mean(losses(epochs[i]!)), 10);
    expect(row.epoch_mean!.loss_giou_0).toBeCloseTo(mean(epochs[i]!.map((step) => step.loss_giou_0!)), 10);
    expect(row.epoch_mean).not.toHaveProperty("images_per_second");
  }
  const table = await results(run);
  expect(table.map(({ epoch, step }) => [epoch, step])).toEqual([["0", "5"], ["1", "10"], ["2", "15"]]); // biome-ignore format: one line
  for (const [i, row] of table.entries()) expect(Number(row["train/loss"])).toBeCloseTo(mean(losses(epochs[i]!)), 5);
  expect(table.map((row) => row["val/AP50:95"] === "")).toEqual([true, false, false]);
});

test.each([5, 7])("a run stopped after step %i and resumed has the same rows and bytes", async (step) => {
  const run = join(dir, `stopped-${step}`);
  await collect((options) => train(recipe(), { run, ...options }), step);
  await collect((options) => resume(run, options));
  await expectSameRun(join(dir, "whole"), run);
});

test("an epoch that an older version has begun has no mean, and the next one has", async () => {
  const run = join(dir, "older");
  const written = join(import.meta.dirname, "../../../tests/fixtures/run-folder/interrupted"); // after step 6
  await cp(written, run, { recursive: true, verbatimSymlinks: true });
  const { rows } = await collect((options) => resume(run, options));
  const means = rows.flatMap((row) =>
    row.split === "train" && row.epoch_mean ? [[row.step, row.epoch_mean.steps]] : [],
  );
  expect(means).toEqual([[15, 5]]);
});

test("an epoch that a hard stop has cut short has the mean of its steps, and that of all when it is extended", async () => {
  const run = join(dir, "cut");
  const { rows } = await collect((options) => train(recipe({ max_steps: 7 }), { run, ...options }));
  const last = rows.findLast((row) => row.split === "train")!;
  expect(last).toMatchObject({ step: 7, epoch_mean: { steps: 2 } });
  const more = await collect((options) => extend(run, { epochs: 3, ...options }));
  const tenth = more.rows.find((row) => row.split === "train" && row.step === 10) as TrainRow;
  expect(tenth.epoch_mean!.steps).toBe(5);
  expect(Number((await results(run))[1]!["train/loss"])).toBeCloseTo(tenth.epoch_mean!.loss, 5);
});
