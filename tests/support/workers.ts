// Trainings of several workers of a tiny detector, by the command line.

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { formatRecipe } from "../../src/recipe/load.ts";
import type { MetricsRow, TrainRow } from "../../src/run/events.ts";
import { readMetrics } from "../../src/run/records/metricsFile.ts";
import { type Launched, launch } from "./launcher.ts";
import { tinyDataset, tinyRecipe } from "./tinyRun.ts";

export type Folder = { dir: string; recipe: string };

/** A folder with a data set and a recipe of 12 batches a step, for the tests of a file. */
export function workersFolder(): Folder {
  const folder = { dir: "", recipe: "" };
  beforeAll(async () => {
    folder.dir = await mkdtemp(join(tmpdir(), "workers-"));
    await tinyDataset(join(folder.dir, "data"));
    folder.recipe = await writeTiny(folder, "recipe", {
      train: { epochs: 2, grad_accum_steps: 12 },
      checkpoint: { keep_last: 9 },
    });
  });
  afterAll(() => rm(folder.dir, { recursive: true, force: true }));
  return folder;
}

/** Write a recipe on the folder's data set; its path. */
export async function writeTiny(
  { dir }: Folder,
  name: string,
  changes: Parameters<typeof tinyRecipe>[1],
): Promise<string> {
  const file = join(dir, `${name}.yaml`);
  await writeFile(file, formatRecipe(tinyRecipe(join(dir, "data"), changes)));
  return file;
}

/** Sums over a whole tensor round by the number of threads. */
const ONE_THREAD = { OMP_NUM_THREADS: "1", TF_NUM_INTRAOP_THREADS: "1" };

/** Train with so many workers of one thread each; what was printed, the run's folder and its rows. */
export async function runWorkers(
  { dir, recipe }: Folder,
  name: string,
  { workers, words = [], file = recipe }: { workers: number; words?: string[]; file?: string },
): Promise<Launched & { folder: string; rows: MetricsRow[] }> {
  const folder = join(dir, name);
  const start = workers === 1 ? [] : ["launch", "--nproc", String(workers), "--restarts", "0"];
  const launched = await launch([...start, "--recipe", file, "--run", folder, ...words], {
    env: { ...process.env, ...ONE_THREAD },
  });
  const metrics = join(folder, "metrics.jsonl");
  return { ...launched, folder, rows: existsSync(metrics) ? await readMetrics(metrics) : [] };
}

export const trainRowsOf = (rows: readonly MetricsRow[]) =>
  rows.filter((row): row is TrainRow => row.split === "train");
