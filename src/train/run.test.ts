import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listCheckpoints, verifyCheckpoint } from "../checkpoint/store.ts";
import { loadBackend } from "../engine/backend.ts";
import { resolveRecipe } from "../recipe/load.ts";
import type { RecipeInput } from "../recipe/schema.ts";
import { TIMING_FIELDS } from "../track/metricsFile.ts";
import { UserError } from "../util/errors.ts";
import { rngFromSeed } from "../util/rng.ts";
import type { MetricsRow, TrainEvent } from "./events.ts";
import { resume, train } from "./run.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "run-"));
  for (const [split, images] of [
    ["train", 7],
    ["valid", 3],
  ] as const)
    await pictures(join(dir, "data", split), images);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Dark images with one or two bright rectangles of two classes. */
async function pictures(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const rng = rngFromSeed(count);
  const images = [];
  const annotations = [];
  for (let id = 0; id < count; id++) {
    const [width, height] = [40 + id, 36];
    const file = `${id}.png`;
    images.push({ id, file_name: file, width, height });
    const overlays = [];
    for (let box = 0; box <= id % 2; box++) {
      const category = rng.int(2);
      const [w, h] = [8 + rng.int(8), 8 + rng.int(8)];
      const [x, y] = [rng.int(width - w), rng.int(height - h)];
      const background = category === 0 ? { r: 250, g: 80, b: 40 } : { r: 40, g: 220, b: 250 };
      const input = { create: { width: w, height: h, channels: 3 as const, background } };
      overlays.push({ input, left: x, top: y });
      annotations.push({
        id: annotations.length,
        image_id: id,
        category_id: category + 1,
        bbox: [x, y, w, h],
        area: w * h,
        iscrowd: 0,
      });
    }
    const background = { r: 30, g: 40, b: 30 };
    await sharp({ create: { width, height, channels: 3, background } })
      .composite(overlays)
      .png()
      .toFile(join(folder, file));
  }
  const categories = [
    { id: 1, name: "red" },
    { id: 2, name: "blue" },
  ];
  await writeFile(join(folder, "_annotations.coco.json"), JSON.stringify({ images, annotations, categories }));
}

function recipe(changes: { train?: RecipeInput["train"]; checkpoint?: RecipeInput["checkpoint"] } = {}) {
  return resolveRecipe({
    name: "tiny",
    weights: "none",
    device: "cpu",
    model: {
      variant: "custom",
      encoder: { hidden_size: 24, num_attention_heads: 3, num_hidden_layers: 3, mlp_ratio: 2 },
      ...{ resolution: 32, patch_size: 8, num_windows: 2, positional_encoding_size: 4, out_feature_indexes: [1, 3] },
      ...{ projector_scale: ["P4"], hidden_dim: 16, dec_layers: 2, sa_nheads: 2, ca_nheads: 4, dec_n_points: 2 },
      ...{ dim_feedforward: 32, num_queries: 6, num_select: 6, group_detr: 3 },
    },
    data: { dir: join(dir, "data"), batch_size: 1, workers: 1 },
    train: { epochs: 2, grad_accum_steps: 2, lr: 1e-3, ema: { decay: 0.9, tau: 5 }, ...changes.train },
    checkpoint: { ...changes.checkpoint },
    track: { every_steps: 1 },
  });
}

/** Run to the end or to an abort after the given step; returns the rows and events. */
async function collect(
  start: (options: { signal: AbortSignal; onEvent: (event: TrainEvent) => void }) => AsyncIterable<MetricsRow>,
  stopAfter = Number.POSITIVE_INFINITY,
) {
  const events: TrainEvent[] = [];
  const rows: MetricsRow[] = [];
  const controller = new AbortController();
  const onEvent = (event: TrainEvent) => {
    events.push(event);
    if (event.type === "step" && event.row.step >= stopAfter) controller.abort();
  };
  for await (const row of start({ signal: controller.signal, onEvent })) rows.push(row);
  return { rows, events, end: events.at(-1) as Extract<TrainEvent, { type: "end" }> };
}

/** The rows of metrics.jsonl without what measures time. */
async function rowsOf(run: string): Promise<object[]> {
  const lines = (await readFile(join(run, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const row = JSON.parse(line) as Record<string, unknown>;
    for (const field of TIMING_FIELDS) delete row[field];
    return row;
  });
}

async function expectSameRun(a: string, b: string) {
  expect(await rowsOf(b)).toEqual(await rowsOf(a));
  for (const link of ["last", "best"]) {
    for (const file of ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"]) {
      const [one, two] = [a, b].map((run) => readFile(join(run, "checkpoints", link, file)));
      expect(Buffer.compare(await one!, await two!), `${link}/${file}`).toBe(0);
    }
  }
}

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
  expect(end).toMatchObject({ status: "done", step: 10, run });
  expect(events[0]).toMatchObject({
    type: "start",
    size: { epochs: 2, stepsPerEpoch: 5, totalSteps: 10, imagesPerStep: 2 },
  });
  expect((await readdir(run)).sort()).toEqual(
    ["checkpoints", "environment.json", "log.jsonl", "metrics.jsonl", "recipe.yaml", "results.csv"].sort(),
  );
  const kept = await listCheckpoints(join(run, "checkpoints"));
  expect(kept.map(({ step, epochEnd }) => [step, epochEnd])).toEqual([
    [5, true],
    [10, true],
  ]);
  for (const { name } of kept) await verifyCheckpoint(join(run, "checkpoints", name));
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
    facts: expect.arrayContaining([expect.stringContaining("first 2")]),
  });
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
  expect(error.hint).toContain("0000-00000005");
});

test("training that has diverged skips a few steps, then stops and names images; what was saved is intact", async () => {
  const run = join(dir, "diverged");
  const settings = { lr: 1e30, lr_encoder: 1e30, schedule: { name: "constant" as const, warmup_epochs: 0 } };
  const events: TrainEvent[] = [];
  const options = { run, onEvent: (event: TrainEvent) => events.push(event) };
  const error = await userError(train(recipe({ train: { ...settings, epochs: 9 } }), options));
  expect(error.message).toMatch(/diverged: 6 steps in a row.*loss.*\.png/);
  expect(events.filter(({ type }) => type === "warning").length).toBe(6);
  for (const { name } of await listCheckpoints(join(run, "checkpoints"))) {
    await verifyCheckpoint(join(run, "checkpoints", name));
  }
});
