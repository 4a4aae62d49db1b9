// A model with more queries than the weights it starts from: the queries of these stay as they were, and it trains.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readWeightsFile } from "../src/checkpoint/weightsFile.ts";
import { weightsAt } from "../src/checkpoint/weightsFolder.ts";
import { loadBackend } from "../src/engine/backend.ts";
import { recipeArchitecture } from "../src/train/recipeArchitecture.ts";
import { train } from "../src/train/run.ts";
import { startingWeights } from "../src/train/startingWeights.ts";
import { toFloat32 } from "../src/util/hostTensor.ts";
import { factLine } from "../src/util/text/fact.ts";
import { collect, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "grown-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("six queries become twenty, the first six of each group unchanged, and all of them train", async () => {
  const small = join(dir, "small");
  await collect((options) => train(tinyRecipe(join(dir, "data")), { run: small, ...options }), 1);
  const base = tinyRecipe(join(dir, "data"), { model: { num_queries: 20, num_select: 20 }, train: { epochs: 1 } });
  const recipe = { ...base, weights: small };

  const names = ["red", "blue"];
  const { tensors } = await startingWeights(small, recipeArchitecture(recipe, 2), { ...recipe, classNames: names });
  const before = await readWeightsFile(await weightsAt(small));
  for (const [name, width] of [["query_feat.weight", 16], ["refpoint_embed.weight", 4]] as const) // biome-ignore format: one line
    for (let group = 0; group < 3; group++)
      expect(toFloat32(tensors.get(name)!).slice(20 * group * width, (20 * group + 6) * width)).toEqual(
        toFloat32(before.tensors.get(name)!).slice(6 * group * width, 6 * (group + 1) * width),
      );

  const { events, end, rows } = await collect((options) => train(recipe, { run: join(dir, "grown"), ...options }));
  expect(end.status).toBe("done");
  expect(rows.filter(({ split }) => split === "train")).toHaveLength(5);
  const said = events.flatMap((event) => (event.type === "start" ? event.facts.map(factLine) : [])).join("\n");
  expect(said).toContain("Queries: 6 -> 20: in each group the first 6 as they were");
  expect(said).toMatch(/num_queries is 20, but a picture has 16 cells that propose a box/);
});
