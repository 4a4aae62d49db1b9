import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { listCheckpoints } from "../../checkpoint/store/store.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { MetricsRow, TrainEvent } from "../../run/events.ts";
import { resume, train } from "../run.ts";
import type { TrainOptions } from "./follow.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "give-up-"));
  await tinyDataset(join(dir, "data"));
  await collect((options) => train(recipe(), { run: join(dir, "whole"), ...options }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = (train: { max_steps?: number } = {}) =>
  tinyRecipe(join(dir, "data"), { train: { compile: "off", ...train }, checkpoint: { every_epochs: null } });

/** Run until `isTime` says of an event that what follows is given up, after so many turns of the event loop; the last event. */
async function givenUp(
  start: (options: TrainOptions) => AsyncIterable<MetricsRow>,
  isTime: (event: TrainEvent) => boolean,
  turns = 0,
) {
  const controller = new AbortController();
  const abort = (left: number) => (left === 0 ? controller.abort("enough") : setImmediate(() => abort(left - 1)));
  let last: TrainEvent | undefined;
  const onEvent = (event: TrainEvent) => {
    last = event;
    if (isTime(event)) abort(turns);
  };
  for await (const _ of start({ giveUp: controller.signal, onEvent }));
  return last;
}

const isStep = (step: number) => (event: TrainEvent) => event.type === "step" && event.row.step === step;

test.each([0, 6])(
  "a run that is given up within a step, %i turns after the last one, keeps the last finished step and ends in the same bytes",
  async (turns) => {
    const run = join(dir, `step-${turns}`);
    const { numTensors } = tf.memory();
    const end = await givenUp((options) => train(recipe(), { run, ...options }), isStep(3), turns);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(end).toMatchObject({ type: "end", status: "interrupted" });
    const { step } = end as Extract<TrainEvent, { type: "end" }>;
    expect([3, 4]).toContain(step);
    expect((await listCheckpoints(join(run, "checkpoints"))).at(-1)!.step).toBe(step);
    await collect((options) => resume(run, options));
    await expectSameRun(join(dir, "whole"), run);
  },
);

test("an evaluation that is given up keeps the step before it and is done when the run goes on", async () => {
  const run = join(dir, "evaluation");
  const isEvaluating = ({ type }: TrainEvent) => type === "evaluating";
  const end = await givenUp((options) => train(recipe(), { run, ...options }), isEvaluating);
  expect(end).toMatchObject({ type: "end", status: "interrupted", step: 5 });
  expect((await listCheckpoints(join(run, "checkpoints"))).at(-1)).toMatchObject({ step: 5, score: null });
  await collect((options) => resume(run, options));
  await expectSameRun(join(dir, "whole"), run);
});

test("where the evaluation after the last of max_steps is given up, the run is not finished before it is done", async () => {
  const short = recipe({ max_steps: 3 });
  await collect((options) => train(short, { run: join(dir, "short"), ...options }));
  const run = join(dir, "short-given-up");
  const isEvaluating = ({ type }: TrainEvent) => type === "evaluating";
  await givenUp((options) => train(short, { run, ...options }), isEvaluating);
  const again = await givenUp((options) => resume(run, options), isEvaluating);
  expect(again).toMatchObject({ type: "end", status: "interrupted", step: 3 });
  const { rows, end } = await collect((options) => resume(run, options));
  expect(rows.map(({ split, step }) => [split, step])).toEqual([["val", 3]]);
  expect(end.status).toBe("done");
  await expectSameRun(join(dir, "short"), run);
  expect(await readFile(join(run, "results.csv"), "utf8")).toMatch(/\n0,3,/);
  expect(await readdir(join(run, "checkpoints"))).not.toContain(".reserve");
});
