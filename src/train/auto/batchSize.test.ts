import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { collect, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadRecipe } from "../../recipe/load.ts";
import { sentence } from "../../util/text/fact.ts";
import { train } from "../run.ts";
import { withBatchSize } from "./batchSize.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "batch-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function autoRecipe() {
  const tiny = tinyRecipe(join(dir, "data"), { train: { max_steps: 1 } });
  return { ...tiny, data: { ...tiny.data, batch_size: "auto" as const, multi_scale: "per-batch" as const } };
}

test("auto becomes a number that stands in the run's recipe, and the run says why that one", async () => {
  const run = join(dir, "run");
  const { events, end } = await collect((options) => train(autoRecipe(), { run, overfit: 2, ...options }));
  expect(end).toMatchObject({ status: "done", step: 1 });
  const { data } = await loadRecipe(join(run, "recipe.yaml"));
  expect([1, 2]).toContain(data.batch_size);
  expect(events[0]).toMatchObject({ type: "notice", message: expect.stringMatching(/^Trying batch sizes/) });
  expect(events.find(({ type }) => type === "start")).toMatchObject({
    facts: expect.arrayContaining([
      {
        name: "Batch size",
        value: expect.stringMatching(/^\d chosen \(auto\): [\d.]+ images a second, a peak of [\d.]+ GB; ./),
      },
      sentence(
        `An update sees ${data.batch_size} x 2 = ${2 * (data.batch_size as number)} images (train.grad_accum_steps is 2)`,
      ),
    ]),
  });
  expect(await readFile(join(run, "recipe.yaml"), "utf8")).not.toContain("batch_size: auto");
}, 120_000);

test("a number is left as it is, and a stop signal ends the trials", async () => {
  const recipe = tinyRecipe(join(dir, "data"));
  expect(await withBatchSize(recipe)).toEqual({ recipe, facts: [] });
  const stop = new AbortController();
  const stopped = withBatchSize(autoRecipe(), { signal: stop.signal });
  setTimeout(() => stop.abort("SIGINT"), 100);
  await expect(stopped).rejects.toBe("SIGINT");
});

test("what is wrong with the recipe is told as it is, not as a lack of memory", async () => {
  const recipe = autoRecipe();
  vi.stubEnv("CUDA_VISIBLE_DEVICES", "-1");
  await expect(withBatchSize({ ...recipe, device: "gpu" })).rejects.toThrow(/device: gpu was asked for/);
  vi.unstubAllEnvs();
}, 60_000);
