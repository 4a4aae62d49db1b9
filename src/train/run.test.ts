import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, rowsOf, tinyDataset, tinyRecipe } from "../../tests/support/tinyRun.ts";
import { listCheckpoints, verifyCheckpoint } from "../checkpoint/store/store.ts";
import { loadBackend } from "../engine/backend.ts";
import type { MetricsRow, TrainEvent } from "../run/events.ts";
import { readMetrics } from "../run/records/metricsFile.ts";
import { readLog } from "../run/runLog.ts";
import { UserError } from "../util/errors.ts";
import { factLine } from "../util/text/fact.ts";
import { resume, train } from "./run.ts";
import { rollback } from "./verbs/rollback.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "run-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = (changes: Parameters<typeof tinyRecipe>[1] = {}) => tinyRecipe(join(dir, "data"), changes);

test("a whole run leaves a run folder with every step and every epoch's evaluation", async () => {
  const run = join(dir, "whole");
  const { numTensors } = tf.memory();
  const { rows, events, end } = await collect((options) => train(recipe(), { run, ...options }));
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(rows.filter(({ split }) => split === "train").map(({ step }) => step)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ]);
  expect(rows.filter(({ split }) => split === "val").map(({ step, epoch }) => [step, epoch])).toEqual([
    [5, 0],
    [10, 1],
  ]);
  const evaluated = rows.findLast(({ split }) => split === "val")!;
  const { f1, metrics } = JSON.parse(await readFile(join(run, "evaluation.json"), "utf8"));
  expect(evaluated).toMatchObject({ F1: f1.f1, precision: f1.precision, recall: f1.recall, APs: metrics.APs });
  expect(await readFile(join(run, "results.csv"), "utf8")).toMatch(/^epoch,.*,val\/F1,val\/precision,val\/recall/);
  expect(end).toMatchObject({ status: "done", step: 10, run });
  expect(events[0]).toMatchObject({
    type: "start",
    size: { epochs: 2, stepsPerEpoch: 5, totalSteps: 10, imagesPerStep: 2 },
  });
  expect((await readdir(run)).sort()).toEqual(
    [
      "checkpoints",
      "environment.json",
      "evaluation",
      "evaluation-best.json",
      "evaluation.json",
      "first-batch.json",
      "fixed-pictures.json",
      "log.jsonl",
      "metrics.jsonl",
      "recipe.yaml",
      "report.html",
      "results.csv",
      "tensorboard",
      "thumbnails.json",
    ].sort(),
  );
  expect(await readFile(join(run, "report.html"), "utf8")).toMatch(/<section id="batch".*data:image\/jpeg/s);
  const kept = await listCheckpoints(join(run, "checkpoints"));
  expect(kept.map(({ step, epochEnd }) => [step, epochEnd])).toEqual([
    [5, true],
    [10, true],
  ]);
  for (const { name } of kept) await verifyCheckpoint(join(run, "checkpoints", name));
});

test("every row says when it was made", async () => {
  const rows = await readMetrics(join(dir, "whole", "metrics.jsonl"));
  const times = rows.map(({ time }) => new Date(time!).getTime());
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(Date.now() - times[0]!).toBeLessThan(600_000);
});

test.each([3, 5, 8])(
  "a run stopped after step %i and resumed ends in the same bytes as one that was not",
  async (step) => {
    const run = join(dir, `stopped-${step}`);
    const first = await collect((options) => train(recipe(), { run, ...options }), step);
    expect(first.end).toMatchObject({ status: "interrupted", step });
    const second = await collect((options) => resume(run, options));
    expect(second.end).toMatchObject({ status: "done", step: 10 });
    await expectSameRun(join(dir, "whole"), run);
  },
);

test("a run whose stages are recorded, and that is stopped and resumed, ends in the same bytes as one whose are not", async () => {
  const run = join(dir, "not-recorded");
  const { numTensors } = tf.memory();
  const { events } = await collect((options) => train(recipe(), { run: join(dir, "recorded"), ...options }), 4);
  await collect((options) => resume(join(dir, "recorded"), options));
  if ("callFunction" in loadBackend().binding) {
    for (const stage of ["network", "detection"]) // of the steps and of the evaluations
      expect(await readFile(join(dir, "recorded", "log.jsonl"), "utf8")).toContain(`The stage ${stage} is replayed`);
  }
  expect(events.filter(({ type }) => type === "notice")).toEqual([]); // it took no time to speak of
  await collect((options) => train(recipe({ train: { compile: "off" } }), { run, ...options }));
  expect(await readFile(join(run, "log.jsonl"), "utf8")).not.toContain("is replayed");
  await expectSameRun(run, join(dir, "recorded"));
  expect(tf.memory().numTensors).toBe(numTensors);
});

test("a run in bfloat16 that is recorded, stopped and resumed ends in the same bytes as one that runs operation by operation", async () => {
  const [run, whole] = [join(dir, "bf16"), join(dir, "bf16-eager")];
  const bf16 = (compile: "graph" | "off") => recipe({ train: { amp_dtype: "bf16", compile } });
  const { events } = await collect((options) => train(bf16("graph"), { run, ...options }), 6);
  const { end } = await collect((options) => resume(run, options));
  expect(end).toMatchObject({ status: "done", step: 10 });
  expect(events).toContainEqual(
    expect.objectContaining({
      facts: expect.arrayContaining([
        { name: "Precision", value: "bf16: products and convolutions in bfloat16, weights and all else in float32" },
      ]),
    }),
  );
  await collect((options) => train(bf16("off"), { run: whole, ...options }));
  await expectSameRun(whole, run);
  const lossOf = async (folder: string) => (await readMetrics(join(dir, folder, "metrics.jsonl")))[0]!;
  const [exact, rounded] = [await lossOf("whole"), await lossOf("bf16")] as { loss: number }[];
  expect(rounded!.loss).not.toBe(exact!.loss);
  expect(Math.abs(rounded!.loss / exact!.loss - 1)).toBeLessThan(0.03);
});

test("a run killed after a checkpoint drops the rows that it will write again", async () => {
  const run = join(dir, "killed");
  const stopped = await collect((options) => train(recipe(), { run, ...options }), 6);
  expect(stopped.end.status).toBe("interrupted");
  const metrics = join(run, "metrics.jsonl");
  const last = (await readFile(metrics, "utf8")).trimEnd().split("\n").at(-1)!;
  await writeFile(metrics, `${await readFile(metrics, "utf8")}${last.replace('"step":6', '"step":7')}\n{"step":8,"ep`);
  await writeFile(join(run, "checkpoints", ".writing-0001-00000007-aaaa"), "half a checkpoint");
  await collect((options) => resume(run, options));
  await expectSameRun(join(dir, "whole"), run);
});

test("max_steps stops with an evaluation and a checkpoint; resuming a finished run does nothing", async () => {
  const run = join(dir, "short");
  const { end, rows } = await collect((options) => train(recipe({ train: { max_steps: 3 } }), { run, ...options }));
  expect(end).toMatchObject({ status: "done", step: 3 });
  expect(rows.map(({ split, step }) => [split, step])).toEqual([
    ["train", 1],
    ["train", 2],
    ["train", 3],
    ["val", 3],
  ]);
  const again = await collect((options) => resume(run, options));
  expect(again.rows).toEqual([]);
  expect(again.end).toMatchObject({ status: "done", step: 3 });
});

test("--overfit trains and evaluates on the same images, and resumes so", async () => {
  const run = join(dir, "few");
  const { events, end } = await collect(
    (options) => train(recipe({ train: { epochs: 1 } }), { run, overfit: 2, ...options }),
    3,
  );
  expect(end.status).toBe("interrupted");
  expect(events[0]).toMatchObject({
    type: "start",
    facts: expect.arrayContaining([{ name: "", value: expect.stringContaining("first 2") }]),
  });
  const start = events.find((event) => event.type === "start");
  const lines = (await readFile(join(run, "log.jsonl"), "utf8")).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ msg: "started", facts: start!.facts }),
  );
  expect((await readLog(join(run, "log.jsonl"))).facts).toEqual(start!.facts);
  const resumed = await collect((options) => resume(run, options));
  expect(resumed.events).toContainEqual({ type: "evaluating", epoch: 0, images: 2 });
});

test("checkpoints every few steps are kept by the rule, and a copied run folder can be resumed", async () => {
  const run = join(dir, "steps");
  const changes = { checkpoint: { every_steps: 2, keep_last: 3, keep_best: 0 } };
  await collect((options) => train(recipe(changes), { run, ...options }), 7);
  const kept = await listCheckpoints(join(run, "checkpoints"));
  expect(kept.map(({ step }) => step)).toEqual([5, 6, 7]); // 5 is the best as well
  const copy = join(dir, "copy");
  await cp(run, copy, { recursive: true, verbatimSymlinks: true });
  await collect((options) => resume(copy, options));
  expect(await rowsOf(copy)).toEqual(await rowsOf(join(dir, "whole")));
});

async function userError(rows: AsyncIterable<MetricsRow>): Promise<UserError> {
  const error = await collect(() => rows).then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

test("a folder that holds a run is not trained into, and one that holds none is not resumed", async () => {
  const taken = await userError(train(recipe(), { run: join(dir, "whole") }));
  expect(taken.message).toContain("already holds a run");
  expect(taken.hint).toContain("resume");
  expect((await userError(resume(join(dir, "nowhere")))).message).toContain("nowhere");
  expect((await userError(resume(join(dir, "data")))).message).toContain("recipe.yaml");
});

test("a damaged checkpoint is named, and the run goes on from the one that is offered", async () => {
  const run = join(dir, "damaged");
  await cp(join(dir, "whole"), run, { recursive: true, verbatimSymlinks: true });
  const file = join(run, "checkpoints", "last", "optimizer.safetensors");
  const bytes = await readFile(file);
  bytes[bytes.length - 9]! ^= 4;
  await writeFile(file, bytes);
  const error = await userError(resume(run));
  expect(error.message).toContain("optimizer.safetensors");
  expect(error.hint).toContain(`rfdetr-train rollback ${run} --to 0000-00000005`);
  await rollback(run, "0000-00000005");
  expect((await collect((options) => resume(run, options))).end).toMatchObject({ status: "done", step: 10 });
  await expectSameRun(join(dir, "whole"), run);
});

test("training that has diverged skips a few steps, then stops and names images; what was saved is intact", async () => {
  const run = join(dir, "diverged");
  const settings = { lr: 1e30, lr_encoder: 1e30, schedule: { name: "constant" as const, warmup_epochs: 0 } };
  const events: TrainEvent[] = [];
  const options = { run, onEvent: (event: TrainEvent) => events.push(event) };
  const error = await userError(train(recipe({ train: { ...settings, epochs: 9 } }), options));
  expect(error.message).toMatch(/diverged: 6 steps in a row.*loss.*\.png/);
  expect(error.hint!.split("rfdetr-train resume")).toHaveLength(2); // the way on is said once
  expect(events.filter(({ type }) => type === "warning").length).toBe(6);
  for (const { name } of await listCheckpoints(join(run, "checkpoints"))) {
    await verifyCheckpoint(join(run, "checkpoints", name));
  }
});

test("a run that goes on says that an image has changed, also where its size has not", async () => {
  const [run, data] = [join(dir, "same-size"), join(dir, "same-size-data")];
  await tinyDataset(data);
  await collect((options) => train(tinyRecipe(data), { run, ...options }), 3);
  const [name] = (await readdir(join(data, "valid"))).filter((one) => !one.endsWith(".json"));
  const image = await readFile(join(data, "valid", name!));
  image[image.length - 20]! ^= 1;
  await writeFile(join(data, "valid", name!), image);
  const facts = async (steps?: number) => {
    const { events } = await collect((options) => resume(run, options), steps);
    return events
      .find((event) => event.type === "start")!
      .facts.map(factLine)
      .join("\n");
  };
  expect(await facts(4)).toMatch(
    /Warning: images or boxes of the data set have changed since .* \(content \w{12}, now \w{12}\)/,
  );
  const path = join(run, "environment.json");
  const { dataset, ...rest } = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...rest, dataset: { fingerprint: dataset.fingerprint } })); // as older versions wrote it
  expect(await facts()).not.toContain("have changed");
});

test("a run goes on with its own classes only, and says that images or boxes have changed", async () => {
  const [run, data] = [join(dir, "changed"), join(dir, "changing")];
  await tinyDataset(data);
  await collect((options) => train(tinyRecipe(data), { run, ...options }), 3);
  const path = join(data, "train", "_annotations.coco.json");
  const before = JSON.parse(await readFile(path, "utf8"));
  const write = (change: object) => writeFile(path, JSON.stringify({ ...before, ...change }));
  await write({ categories: before.categories.map((one: { id: number }) => ({ ...one, name: `other ${one.id}` })) });
  const valid = join(data, "valid", "_annotations.coco.json");
  const kept = await readFile(valid, "utf8");
  await writeFile(valid, kept.replace(/"red"/, '"other 1"').replace(/"blue"/, '"other 2"'));
  const { message } = await userError(resume(run));
  expect(message).toBe("The data set has other classes than the run: other 1, other 2; the run has red, blue.");
  await writeFile(valid, kept);
  await write({ annotations: before.annotations.slice(1) });
  const { events } = await collect((options) => resume(run, options), 4);
  const start = events.find((event) => event.type === "start");
  expect(start!.facts.map(factLine).join("\n")).toMatch(
    /Warning: images or boxes of the data set have changed since this run was started/,
  );
  await write({});
  const again = await collect((options) => resume(run, options));
  expect(
    again.events
      .find((event) => event.type === "start")!
      .facts.map(factLine)
      .join("\n"),
  ).not.toContain("have changed");
});
