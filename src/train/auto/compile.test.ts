import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { type StepTime, withCompile } from "./compile.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "compile-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = () => tinyRecipe(join(dir, "data"), { train: { compile: "auto" } });
const timing = (graph: StepTime, xla: StepTime) => async (tried: Recipe) =>
  tried.train.compile === "graph" ? graph : xla;

test("the quicker mode is taken, and one that fails is not", async () => {
  const quick = await withCompile(recipe(), { time: timing({ seconds: 1.5 }, { seconds: 0.5 }) });
  expect(quick.recipe.train.compile).toBe("xla");
  expect(quick.facts).toEqual([
    {
      name: "Recorded steps",
      value: "xla chosen (auto), by the time of a step here: graph 1.50 s, xla 500 ms",
    },
  ]);
  const failing = await withCompile(recipe(), { time: timing({ seconds: 1.5 }, { failed: "out of memory" }) });
  expect(failing.recipe.train.compile).toBe("graph");
  expect(failing.facts[0]!.value).toContain("xla failed: out of memory");
});

test("steps are timed in both modes", async () => {
  const { recipe: chosen, facts } = await withCompile(recipe());
  expect(["graph", "xla"]).toContain(chosen.train.compile);
  expect(facts[0]!.value).toMatch(/graph \d+ ms|\d.\d\d s, xla (\d+ ms|\d.\d\d s)$/);
}, 120_000);

test("another mode stays as it is, and a trial of the whole way times nothing", async () => {
  const off = tinyRecipe(join(dir, "data"), { train: { compile: "off" } });
  expect(await withCompile(off)).toEqual({ recipe: off, facts: [] });
  const time = () => Promise.reject(new Error("nothing is timed"));
  expect((await withCompile(recipe(), { untimed: true, time })).recipe.train.compile).toBe("graph");
});
