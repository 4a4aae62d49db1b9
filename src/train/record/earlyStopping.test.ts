import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { listCheckpoints } from "../../checkpoint/store/store.ts";
import type { ClassEntry, Split } from "../../data/dataset/sample.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { ValRow } from "../../run/events.ts";
import { readRunFolder } from "../../run/runFolder.ts";
import { selection } from "../../run/selection.ts";
import { summaryOf } from "../../track/wandb/folder/rows.ts";
import { resume, train } from "../run.ts";
import { loaders } from "../runData.ts";
import { afterEvaluation, isExhausted, requireMetric } from "./earlyStopping.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "early-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const stopping = { metric: "AP50:95", patience: 2, min_delta: 0.01 };
const recipe = (early: Recipe["early_stopping"], changes: Parameters<typeof tinyRecipe>[1] = {}): Recipe => ({
  ...tinyRecipe(join(dir, "data"), changes),
  early_stopping: early,
});

test("only a rise of more than min_delta is an improvement, and an evaluation without a score is none", () => {
  let patience = { score: null, stale: 0 } as { score: number | null; stale: number };
  const seen = [null, 0.3, 0.305, 0.31, 0.32, 0.1, null].map((score) => {
    patience = afterEvaluation(patience, score, 0.01);
    return patience;
  });
  expect(seen).toEqual([
    { score: null, stale: 1 },
    { score: 0.3, stale: 0 },
    { score: 0.3, stale: 1 },
    { score: 0.3, stale: 2 },
    { score: 0.32, stale: 0 },
    { score: 0.32, stale: 1 },
    { score: 0.32, stale: 2 },
  ]);
  expect(seen.map((one) => isExhausted({ early_stopping: stopping }, one))).toEqual([
    ...[false, false, false, true, false, false, true],
  ]);
  expect(isExhausted({ early_stopping: "none" }, { score: null, stale: 99 })).toBe(false);
});

test("a metric is one of the row's or one class's AP", () => {
  const row: ValRow = {
    ...{ step: 1, epoch: 0, split: "val", "AP50:95": 0.1, AP50: 0.2, AP75: null, AR: 0.4 },
    per_class: { red: 0.5, "blue: dark": null },
  };
  expect(
    ["AP50:95", "AP50", "AP75", "AR", "AP:red", "AP:blue: dark"].map((name) =>
      selection({ early_stopping: { metric: name } }).of(row),
    ),
  ).toEqual([...[0.1, 0.2, null, 0.4, 0.5, null]]);
});

test("a metric that the validation images cannot give is refused before anything is trained", () => {
  const classes: ClassEntry[] = ["red", "blue"].map((name, label) => ({ name, label, categoryId: label + 1 }));
  const box = { id: 1, categoryId: 1, label: 0, box: [0, 0, 4, 4] as [number, number, number, number], area: 16 };
  const split = (crowd: boolean): Split => ({
    ...{ name: "val", images: "", annotations: "", reading: {} },
    samples: [
      { imageId: 1, file: "1.png", path: "1.png", width: 9, height: 9, annotations: [{ ...box, crowd }] },
      { imageId: 2, file: "2.png", path: "2.png", width: 9, height: 9, annotations: [] },
    ],
  });
  const check = (metric: string, val: Split) => () => requireMetric(recipe({ ...stopping, metric }), classes, val);
  expect(check("AP:red", split(false))).not.toThrow();
  expect(check("AR", split(false))).not.toThrow();
  expect(check("AP:green", split(false))).toThrow(
    'early_stopping.metric is AP:green, but the data set has no class "green"',
  );
  expect(check("AP:blue", split(false))).toThrow('no validation image has a box of the class "blue"');
  expect(check("AP50", split(true))).toThrow("no validation image has a box");
});

test("without early stopping, too, a metric chooses the best, and has to be one that there is", async () => {
  const run = join(dir, "chosen");
  const changes = { train: { max_steps: 1 }, selection: { metric: "AP:red" } };
  const { end, rows } = await collect((options) => train(recipe("none", changes), { run, ...options }));
  const { per_class } = rows.findLast((row): row is ValRow => row.split === "val")!;
  expect(end).toMatchObject({ status: "done", metric: "AP:red", best: per_class.red });
  const other = recipe("none", { ...changes, selection: { metric: "AP:green" } });
  await expect(train(other, { run: join(dir, "other") }).next()).rejects.toThrow(
    'selection.metric is AP:green, but the data set has no class "green"',
  );
});

test("epochs that are skipped give no best checkpoint, and no patience is lost in them", async () => {
  const run = join(dir, "skipped");
  const changes = { train: { epochs: 2, lr: 0, lr_encoder: 0 }, selection: { skip_best_epochs: 1 } };
  const early = { ...stopping, min_delta: 0.5 };
  const { end, events, rows } = await collect((options) => train(recipe(early, changes), { run, ...options }));
  const values = rows.flatMap((row) => (row.split === "val" ? [row] : []));
  expect(values.map(({ epoch }) => epoch)).toEqual([0, 1]);
  expect(end.best).toBe(values[1]!["AP50:95"]); // equal to that of the first epoch, at this rate
  const best = events.flatMap((event) => (event.type === "checkpoint" && event.best ? [event.name] : []));
  expect(best).toEqual(["0001-00000010"]);
  const state = JSON.parse(await readFile(join(run, "checkpoints", "last", "state.json"), "utf8"));
  expect(state).toMatchObject({ best: { step: 10 }, patience: { stale: 0 } });
  const { best: chosen } = await readRunFolder(run);
  expect(chosen).toMatchObject({ step: 10 });
  expect(summaryOf(rows, { from: 1 })).toMatchObject({ "best/step": 10 });
  expect(summaryOf(rows)).toMatchObject({ "best/step": 5 });
});

test("evaluations have batches of eval.batch_size, by default those of training", async () => {
  const images = Array.from({ length: 10 }, (_, id) => ({ id, file: "", path: "", width: 9, height: 9 }));
  const samples = images.map(({ id, ...one }) => ({ ...one, imageId: id, annotations: [] }));
  const split: Split = { name: "val", images: "", annotations: "", reading: {}, samples };
  const batches = (size: number | null) => {
    const tiny = recipe("none", { eval: { batch_size: size } });
    const few = { ...tiny, data: { ...tiny.data, batch_size: 2, workers: 0 } };
    const settings = { resolution: 32, overfit: false, scales: { facts: [] } };
    return loaders(few, { train: split, val: split }, settings).val.batches;
  };
  expect([null, 1, 4, 99].map(batches)).toEqual([5, 10, 3, 1]);
});

test("a class that is not there fails at the start of a run, which leaves no folder", async () => {
  const run = join(dir, "none");
  const rows = train(recipe({ ...stopping, metric: "AP:green" }), { run });
  await expect(rows.next()).rejects.toThrow('no class "green"');
  expect(await listCheckpoints(join(run, "checkpoints"))).toEqual([]);
});

test("a run without improvement ends early, says so, and is finished; its state survives a stop", async () => {
  // nothing is learned at this rate: every evaluation gives the same score
  const flat = recipe(
    { ...stopping, metric: "AP:red", min_delta: 0.5 },
    { train: { epochs: 9, lr: 0, lr_encoder: 0 } },
  );
  const whole = join(dir, "whole");
  const { end, events } = await collect((options) => train(flat, { run: whole, ...options }));
  expect(end).toMatchObject({ status: "done", step: 15, metric: "AP:red" });
  expect(events).toContainEqual({
    type: "notice",
    message: "Early stopping: AP:red has not improved in 2 evaluations",
  });

  const again = await collect((options) => resume(whole, options));
  expect(again.rows).toEqual([]);
  expect(again.events).toMatchObject([
    { type: "notice", message: expect.stringMatching(/finished: it was stopped early, after 3 epochs.*extend/) },
    { type: "end", status: "done", step: 15 },
  ]);

  const cut = join(dir, "cut");
  await collect((options) => train(flat, { run: cut, ...options }), 12); // after two of three evaluations
  const state = JSON.parse(await readFile(join(cut, "checkpoints", "last", "state.json"), "utf8"));
  expect(state).toMatchObject({ metric: "AP:red", patience: { stale: 1 } });
  await collect((options) => resume(cut, options));
  await expectSameRun(whole, cut);
});

test("the time limit of a run counts its earlier parts, and a run that has used it up says how to get more", async () => {
  const run = join(dir, "hours");
  const limited = recipe("none", { train: { max_hours: 1e-6 } });
  const first = await collect((options) => train(limited, { run, ...options }));
  expect(first.end).toMatchObject({ status: "out-of-time", step: 1 });
  const state = JSON.parse(await readFile(join(run, "checkpoints", "last", "state.json"), "utf8"));
  expect(state.seconds).toBeGreaterThan(0.0036);
  await expect(collect((options) => resume(run, options))).rejects.toMatchObject({
    message: expect.stringContaining("has used up its 0.000001 hours"),
    hint: expect.stringContaining("extend"),
  });
});
