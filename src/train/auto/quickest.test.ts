import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { type StepTime, withQuickest } from "./quickest.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quickest-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = () => tinyRecipe(join(dir, "data"), { train: { compile: "auto" } });
const timing = (graph: StepTime, xla: StepTime) => async (tried: Recipe) =>
  tried.train.compile === "graph" ? graph : xla;

test("the quicker mode is taken, and one that fails is not", async () => {
  const said: string[] = [];
  const say = (message: string) => said.push(message);
  const quick = await withQuickest(recipe(), { say, time: timing({ seconds: 1.5 }, { seconds: 0.5 }) });
  expect(said).toEqual(["Timing a step with train.compile graph and xla, each in a process of its own ..."]);
  expect(quick.recipe.train.compile).toBe("xla");
  expect(quick.facts).toEqual([
    {
      name: "Recorded steps",
      value: "xla chosen (auto), by the time of a step here: graph 1.50 s, xla 500 ms",
    },
  ]);
  const failing = await withQuickest(recipe(), { time: timing({ seconds: 1.5 }, { failed: "out of memory" }) });
  expect(failing.recipe.train.compile).toBe("graph");
  expect(failing.facts[0]!.value).toContain("xla failed: out of memory");
});

test("steps are timed in both modes", async () => {
  const { recipe: chosen, facts } = await withQuickest(recipe());
  expect(["graph", "xla"]).toContain(chosen.train.compile);
  expect(facts[0]!.value).toMatch(/graph \d+ ms|\d.\d\d s, xla (\d+ ms|\d.\d\d s)$/);
}, 300_000);

test("another mode stays as it is, and a trial of the whole way times nothing", async () => {
  const off = tinyRecipe(join(dir, "data"), { train: { compile: "off" } });
  expect(await withQuickest(off)).toEqual({ recipe: off, facts: [] });
  const time = () => Promise.reject(new Error("nothing is timed"));
  expect((await withQuickest(recipe(), { untimed: true, time })).recipe.train.compile).toBe("graph");
});

test("bf16 is taken only where it is quicker, and before the way of recording is timed", async () => {
  const both = tinyRecipe(join(dir, "data"), { train: { compile: "auto", amp_dtype: "auto" } });
  const timed: string[] = [];
  const time =
    (bf16: number) =>
    async ({ train: { amp_dtype: precision, compile } }: Recipe) => {
      timed.push(`${precision} ${compile}`);
      return { seconds: (precision === "bf16" ? bf16 : 1) * (compile === "xla" ? 2 : 1) };
    };
  const quick = await withQuickest(both, { time: time(0.5) });
  expect(quick.recipe.train).toMatchObject({ amp_dtype: "bf16", compile: "graph" });
  expect(timed).toEqual(["none auto", "bf16 auto", "bf16 graph", "bf16 xla"]);
  expect(quick.facts[0]).toEqual({
    name: "Precision",
    value: "bf16 chosen (auto), by the time of a step here: none 1.00 s, bf16 500 ms",
  });
  for (const seconds of [1, 3]) {
    const slow = await withQuickest(both, { time: time(seconds) });
    expect(slow.recipe.train.amp_dtype).toBe("none");
  }
  expect((await withQuickest(both, { untimed: true })).recipe.train).toMatchObject({ amp_dtype: "none" });
});
