import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, expectSameRun, rowsOf, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import { loadRecipe } from "../../recipe/load.ts";
import type { TrainEvent } from "../../run/events.ts";
import { factLine } from "../../util/text/fact.ts";
import { resume, train } from "../run.ts";
import { extend } from "./extend.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "extend-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = (changes: Parameters<typeof tinyRecipe>[1] = {}) => tinyRecipe(join(dir, "data"), changes);
const factsOf = (events: TrainEvent[]) => {
  const start = events.find((event) => event.type === "start");
  return start?.type === "start" ? start.facts.map(factLine).join("\n") : "";
};
const copy = (from: string, to: string) => cp(from, to, { recursive: true, verbatimSymlinks: true });

test("a finished run trains on under a schedule laid over the new length, exactly, also after a stop", async () => {
  const short = join(dir, "short");
  await collect((options) => train(recipe({ train: { epochs: 1 } }), { run: short, ...options }));
  const [whole, cut] = [join(dir, "whole"), join(dir, "cut")];
  await copy(short, whole);
  await copy(short, cut);

  const { events, end, rows } = await collect((options) => extend(whole, { epochs: 2, ...options }));
  expect(end).toMatchObject({ status: "done", step: 10 });
  expect(rows.map(({ step }) => step)).toEqual([6, 7, 8, 9, 10, 10]);
  expect(await rowsOf(whole)).toHaveLength(12);
  const facts = factsOf(events);
  expect(facts).toContain("Restored from checkpoint 0000-00000005: weights, optimizer, moving average (5 updates)");
  expect(facts).toContain("Overridden: train.epochs 1 -> 2");
  expect(facts).toMatch(/Re-laid: cosine schedule over 2 epochs, 10 steps; at step 6 the learning rates are .*, not /);
  expect(facts).toContain("recipe.before-extend-1.yaml");
  expect((await loadRecipe(join(whole, "recipe.yaml"))).train.epochs).toBe(2);
  expect((await loadRecipe(join(whole, "recipe.before-extend-1.yaml"))).train.epochs).toBe(1);

  const stopped = await collect((options) => extend(cut, { epochs: 2, ...options }), 7);
  expect(stopped.end.status).toBe("interrupted");
  const resumed = await collect((options) => resume(cut, options));
  expect(resumed.end).toMatchObject({ status: "done", step: 10 });
  expect(factsOf(resumed.events)).toContain("Overridden: nothing");
  await expectSameRun(whole, cut);
});

test("a checkpoint of an older version, which lacks what was added since, goes on", async () => {
  const run = join(dir, "older");
  await copy(join(dir, "whole"), run);
  const folder = join(run, "checkpoints", "last");
  const { patience, metric, ...state } = JSON.parse(await readFile(join(folder, "state.json"), "utf8"));
  expect({ patience, metric }).toEqual({ patience: { score: null, stale: 0 }, metric: "AP50:95" });
  const text = JSON.stringify(state);
  await writeFile(join(folder, "state.json"), text);
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
  manifest.files["state.json"] = { sha256: createHash("sha256").update(text).digest("hex"), bytes: text.length };
  await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  const { end } = await collect((options) => extend(run, { epochs: 3, ...options }), 11);
  expect(end).toMatchObject({ status: "interrupted", step: 11 });
});

test("a length that is already done is refused, and the recipe stays as it is", async () => {
  const run = join(dir, "whole");
  const before = await readFile(join(run, "recipe.yaml"), "utf8");
  await expect(collect((options) => extend(run, { epochs: 2, ...options }))).rejects.toMatchObject({
    message: `The run ${run} has 2 epochs behind it: --epochs 2 adds none.`,
    hint: expect.stringContaining("in all"),
  });
  expect(await readFile(join(run, "recipe.yaml"), "utf8")).toBe(before);
});

test("an extension ends the hard stop that was reached", async () => {
  const run = join(dir, "steps");
  await collect((options) => train(recipe({ train: { max_steps: 3 } }), { run, ...options }));
  const { events, end } = await collect((options) => extend(run, { epochs: 2, ...options }));
  expect(factsOf(events)).toContain("Overridden: train.max_steps 3 -> none");
  expect(end).toMatchObject({ status: "done", step: 10 });
});

test("a run that stopped early goes on with its patience anew, and so after a kill", async () => {
  const run = join(dir, "early");
  const early = { metric: "AP50:95", patience: 1, min_delta: 2 };
  const flat = { ...recipe({ train: { epochs: 4 } }), early_stopping: early };
  const first = await collect((options) => train(flat, { run, ...options }));
  expect(first.end).toMatchObject({ status: "done", step: 10 });
  const longer = await collect((options) => extend(run, { epochs: 4, ...options }), 12);
  expect(longer.end.status).toBe("interrupted");
  expect(factsOf(longer.events)).toContain("Early stopping waits anew");
  expect((await collect((options) => resume(run, options))).end).toMatchObject({ status: "done", step: 15 });
});

test("more hours for a run that has used up its own", async () => {
  const run = join(dir, "hours");
  const limited = recipe({ train: { epochs: 1, max_hours: 1e-6 } });
  expect((await collect((options) => train(limited, { run, ...options }))).end.status).toBe("out-of-time");
  await expect(collect((options) => extend(run, { maxHours: 1e-6, ...options }))).rejects.toThrow("adds none");
  const { events, end } = await collect((options) => extend(run, { maxHours: 1, ...options }));
  expect(factsOf(events)).toContain("Overridden: train.max_hours 0.000001 -> 1");
  expect(end).toMatchObject({ status: "done", step: 5 });
});
