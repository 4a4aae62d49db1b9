import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, rowsOf, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { noiseBatch, SETTINGS, TINY, tinyLearner, tinyWeights } from "../../../tests/tinyModel.ts";
import { leafShapes } from "../../architecture/weights/table.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { TrainEvent, TrainRow } from "../../run/events.ts";
import {
  createLearner,
  disposeLearner,
  type Learner,
  learnerTensors,
  restoreLearner,
  setTrainable,
  trainable,
} from "../../step/learner.ts";
import { type StepSettings, trainStep } from "../../step/step.ts";
import { UserError } from "../../util/errors.ts";
import type { StateDict } from "../../util/hostTensor.ts";
import { toFloat32 } from "../../util/hostTensor.ts";
import { resume, train } from "../run.ts";
import { stagePlan } from "./stages.ts";

const settings: StepSettings = { clipMaxNorm: 0.1, ema: { decay: 0.9, tau: 2 }, accumulation: "whole" };

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "stages-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function paths(...patterns: string[]): ReadonlySet<string> {
  const stages = [{ from_epoch: 0, train: patterns, lr_factor: 1 }];
  return stagePlan(stages, leafShapes(TINY), { freezeEncoder: false })[0]!.paths;
}

async function steps(learner: Learner, seeds: number[]): Promise<void> {
  for (const seed of seeds) {
    const { problem } = await trainStep(learner, settings, {
      batches: [noiseBatch(seed, 2)],
      rateFactor: 1,
      step: seed,
    });
    expect(problem).toBeNull();
  }
}

function same(a: StateDict, b: StateDict, name: string): boolean {
  return Buffer.compare(a.get(name)!.bytes, b.get(name)!.bytes) === 0;
}

function expectAlike(a: Awaited<ReturnType<typeof learnerTensors>>, b: typeof a): void {
  for (const which of ["model", "ema", "optimizer"] as const) {
    expect([...a[which]!.keys()]).toEqual([...b[which]!.keys()]);
    for (const name of a[which]!.keys()) expect(same(a[which]!, b[which]!, name), `${which} ${name}`).toBe(true);
  }
}

const HEAD = "class_embed.weight";
const DECODER = "transformer.decoder.norm.weight";
const BLOCK = "backbone.0.encoder.encoder.encoder.layer.2.mlp.fc1.weight";

test("frozen weights keep every bit and have no moments; what trains changes", async () => {
  const learner = createLearner(tinyWeights(), TINY, { ...SETTINGS, trains: paths("heads", "backbone.blocks.2") });
  const before = await learnerTensors(learner);
  await steps(learner, [1, 2, 3]);
  const after = await learnerTensors(learner);
  const changed = [...before.model.keys()].filter((name) => !same(before.model, after.model, name));
  expect(changed).toEqual(expect.arrayContaining([HEAD, BLOCK]));
  const trains = /^(class_embed|bbox_embed|transformer\.enc_out_(class|bbox)_embed|.*\.layer\.2\.)/;
  expect(changed.filter((name) => !trains.test(name))).toEqual([]);
  const moments = [...after.optimizer.keys()].filter((name) => name.startsWith("exp_avg."));
  expect(moments.map((name) => name.slice("exp_avg.".length)).filter((name) => !trains.test(name))).toEqual([]);
  disposeLearner(learner);
});

test("moments of weights that stay are kept, of those that leave are freed, of those that come back are fresh", async () => {
  const learner = tinyLearner();
  const count = (name: string, state: StateDict) => {
    const stored = state.get(`step.${name}`);
    return stored && toFloat32(stored)[0];
  };
  await steps(learner, [1, 2]);
  const first = (await learnerTensors(learner)).optimizer;
  expect([HEAD, DECODER].map((name) => count(name, first))).toEqual([2, 2]);

  setTrainable(learner, paths("heads"));
  const frozen = (await learnerTensors(learner)).optimizer;
  expect([HEAD, DECODER].map((name) => count(name, frozen))).toEqual([2, undefined]);
  expect(same(first, frozen, `exp_avg_sq.${HEAD}`)).toBe(true);
  await steps(learner, [3]);

  setTrainable(learner, paths("heads", "decoder"));
  await steps(learner, [4]);
  const back = (await learnerTensors(learner)).optimizer;
  expect([HEAD, DECODER, BLOCK].map((name) => count(name, back))).toEqual([4, 1, undefined]);
  disposeLearner(learner);
});

test("the moving average is that of one who follows all weights always", async () => {
  const learner = createLearner(tinyWeights(), TINY, { ...SETTINGS, trains: paths("heads") });
  // one in which every leaf has an average from the first update on; rates of 0 change no weights
  const everything = tinyLearner();
  for (const one of [learner, everything])
    await trainStep(one, settings, { batches: [noiseBatch(1, 2)], rateFactor: 0, step: 0 });
  expect(everything.ema!.averages.size).toBeGreaterThan(learner.ema!.averages.size);
  for (const patterns of [["heads"], ["heads", "decoder"], ["projector"], ["all"]]) {
    for (const one of [learner, everything]) {
      setTrainable(one, new Set()); // both begin with fresh moments
      setTrainable(one, paths(...patterns));
      await steps(one, [2, 3]);
    }
  }
  expectAlike(await learnerTensors(learner), await learnerTensors(everything));
  for (const one of [learner, everything]) disposeLearner(one);
});

test("a learner restored in any stage goes on with the same bytes, packed tensors that train in part included", async () => {
  const parts = [
    ["decoder.layers.0.selfAttention.query", "heads"],
    ["decoder.layers.0", "backbone.blocks.2"],
    ["heads"],
  ];
  const learner = createLearner(tinyWeights(), TINY, { ...SETTINGS, trains: paths(...parts[0]!) });
  for (const patterns of parts) {
    setTrainable(learner, paths(...patterns));
    await steps(learner, [1, 2]);
    const saved = await learnerTensors(learner);
    const copy = createLearner(saved.model, TINY, { ...SETTINGS, trains: paths(...patterns) });
    restoreLearner(copy, saved, learner.ema!.updates);
    expectAlike(await learnerTensors(copy), saved);
    for (const one of [learner, copy]) await steps(one, [3, 4]);
    expectAlike(await learnerTensors(copy), await learnerTensors(learner));
    disposeLearner(copy);
  }
  disposeLearner(learner);
});

test("changing stages to and fro leaves no tensors behind", async () => {
  const before = tf.memory().numTensors;
  const learner = tinyLearner();
  await steps(learner, [1]);
  const { numTensors, numDataBuffers } = tf.memory();
  for (let i = 0; i < 3; i++) {
    setTrainable(learner, paths("heads"));
    expect(trainable(learner.weights).length).toBe(paths("heads").size);
    await steps(learner, [2]);
    setTrainable(learner, paths("all"));
    await steps(learner, [3]);
  }
  expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  disposeLearner(learner);
  expect(tf.memory().numTensors).toBe(before);
});

const STAGES = [
  { from_epoch: 0, train: ["heads"] },
  { from_epoch: 1, train: ["heads", "decoder", "backbone.blocks.1-2"], lr_factor: 0.5 },
];
const staged = () => tinyRecipe(join(dir, "data"), { train: { stages: STAGES, schedule: { name: "constant" } } });

test("a staged run says what trains, and its rows have the rates that are in effect", async () => {
  const run = join(dir, "whole");
  const { numTensors } = tf.memory();
  const { rows, events } = await collect((options) => train(staged(), { run, ...options }));
  expect(tf.memory().numTensors).toBe(numTensors);
  const notices = events.flatMap((event: TrainEvent) => (event.type === "notice" ? [event.message] : []));
  expect(notices).toEqual([
    expect.stringMatching(/^Stage 1 of 2 \(from_epoch 0\): heads \(\d+ tensors, .*\); .* train, .* are frozen$/),
    expect.stringMatching(/^Stage 1 of 2: 5 steps, .* s a step \(median\), peak memory .* GB$/),
    expect.stringMatching(
      /^Stage 2 of 2 \(from_epoch 1\): heads \(.*backbone.blocks.1-2 \(\d+ tensors.*learning rates x 0.5$/,
    ),
    expect.stringMatching(/^Stage 2 of 2: 5 steps, /),
  ]);
  const rates = rows.flatMap((row) => (row.split === "train" ? [[row.lr, row.lr_encoder]] : []));
  expect(rates.at(4)).toEqual([1e-3 * (4 / 5), 0]); // the fifth step of a warm-up of five
  expect(rates.at(-1)).toEqual([5e-4, 0.75e-4]);
  const lines = (await readFile(join(run, "log.jsonl"), "utf8")).trimEnd().split("\n");
  const log = lines.map((line) => JSON.parse(line) as Record<string, unknown> & { msg: string });
  const effective = log.filter(({ msg }) => msg === "learning rates") as unknown as {
    groups: { group: string; lr: [number, number] }[];
  }[];
  expect(effective.map(({ groups }) => groups.map(({ group }) => group))).toEqual([
    ["heads"],
    expect.arrayContaining(["backbone.blocks.1", "backbone.blocks.2", "decoder"]),
  ]);
  expect(log.filter(({ msg }) => msg === "stage cost")).toEqual([
    expect.objectContaining({ stage: 0, steps: 5, peakBytes: expect.any(Number), seconds: expect.any(Number) }),
    expect.objectContaining({ stage: 1, steps: 5 }),
  ]);
});

test.each([3, 5, 6, 8])("a staged run stopped after step %i and resumed ends in the same bytes", async (step) => {
  const run = join(dir, `stopped-${step}`);
  const first = await collect((options) => train(staged(), { run, ...options }), step);
  expect(first.end).toMatchObject({ status: "interrupted", step });
  await collect((options) => resume(run, options));
  await expectSameRun(join(dir, "whole"), run);
});

test("a run resumed from the checkpoint at the boundary of two stages ends in the same bytes", async () => {
  const run = join(dir, "boundary");
  await collect((options) => train(staged(), { run, ...options }), 6);
  const copy = join(dir, "killed");
  await cp(run, copy, { recursive: true, verbatimSymlinks: true });
  await rm(join(copy, "checkpoints", "last"));
  await rm(join(copy, "checkpoints", "0001-00000006"), { recursive: true });
  await collect((options) => resume(copy, options));
  expect(await rowsOf(copy)).toEqual(await rowsOf(join(dir, "whole")));
  await expectSameRun(join(dir, "whole"), copy);
});

test("an unstaged run with a frozen encoder has no rate for it", async () => {
  const recipe = tinyRecipe(join(dir, "data"), { train: { max_steps: 2 } });
  recipe.model.freeze_encoder = true;
  const { rows, events } = await collect((options) => train(recipe, { run: join(dir, "frozen"), ...options }));
  const [first, second] = rows as TrainRow[];
  expect([first!.lr, first!.lr_encoder, second!.lr_encoder]).toEqual([0, 0, 0]);
  expect(second!.lr).toBeGreaterThan(0);
  expect(events.some(({ type }) => type === "notice")).toBe(false);
});

test("a pattern that matches nothing ends the run before it begins", async () => {
  const recipe = tinyRecipe(join(dir, "data"), { train: { stages: [{ from_epoch: 0, train: ["haeds"] }] } });
  const failed = collect((options) => train(recipe, { run: join(dir, "never"), ...options }));
  await expect(failed).rejects.toThrow(UserError);
  await expect(failed).rejects.toThrow('train.stages[0].train: "haeds" matches no weights. Did you mean heads?');
});
