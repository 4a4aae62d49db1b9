import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinyRecipe } from "../../tests/support/tinyRun.ts";
import { describeCost, estimateCost } from "./cost.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cost-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("is a measured step times the steps of the run, with all weights and with the heads only", async () => {
  const report = await estimateCost(tinyRecipe(join(dir, "data"), { train: { epochs: 40 } }));
  if ("unknown" in report) throw new Error(report.unknown);
  const { cost, headsOnly } = report;
  const { data, train } = tinyRecipe(join(dir, "data"));
  expect(cost.images).toBe((data.batch_size as number) * train.grad_accum_steps);
  expect(cost.steps).toBeGreaterThanOrEqual(40 * 5); // an epoch has five steps or more
  expect(cost.secondsPerStep).toBeGreaterThan(0);
  expect(cost.seconds).toBeGreaterThanOrEqual(cost.steps * cost.secondsPerStep);
  expect(cost.peakBytes).toBeGreaterThan(1e8);
  expect(headsOnly!.steps).toBe(cost.steps);
  expect(describeCost(report)).toEqual([
    expect.stringMatching(
      new RegExp(
        `^about .+, \\d\\.\\d GB of memory: a step of ${cost.images} images takes .+ here, ${cost.steps} steps$`,
      ),
    ),
    expect.stringMatching(/^about .+ with the heads only \(model\.freeze_encoder: true\)$/),
  ]);
}, 60_000);

test("says why there is none", async () => {
  const recipe = tinyRecipe(join(dir, "data"));
  const auto = await estimateCost({ ...recipe, data: { ...recipe.data, batch_size: "auto" } });
  expect(describeCost(auto)).toEqual(["not estimated: data.batch_size is auto: the run measures it first"]);
});

test("hours where it is long, minutes and seconds where it is short", () => {
  const cost = { images: 4, secondsPerStep: 7.4, steps: 3000, peakBytes: 3.94e9 };
  const about = (seconds: number) => describeCost({ cost: { ...cost, seconds }, headsOnly: null })[0];
  expect(about(22_200)).toBe("about 6.2 hours, 3.9 GB of memory: a step of 4 images takes 7.4 s here, 3000 steps");
  expect(about(2000)).toContain("about 33 minutes,");
  expect(about(42)).toContain("about 42 s,");
});
