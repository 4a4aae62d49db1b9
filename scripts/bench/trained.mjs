// A run of a recipe by the command line, for the benchmarks that look at what came of it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { here } from "./stepper.mjs";

/** Runs the command line; its output. `shown`: it goes to the terminal instead. */
function commandLine(args, { shown = false } = {}) {
  const words = ["--import", "tsx", here("../../src/cli/main.ts"), ...args];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    words,
    shown ? { stdio: "inherit" } : { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`rfdetr-train ${args.join(" ")}: exit code ${status}\n${stderr ?? ""}`);
  return stdout;
}

/** Train into a folder with these keys overridden, by so many workers; the rows of metrics.jsonl. */
export function trainInto(run, recipe, set = {}, { shown = false, workers = 1 } = {}) {
  const given = Object.entries(set).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const start = workers === 1 ? [] : ["launch", "--nproc", String(workers)];
  commandLine([...start, "--recipe", recipe, "--run", run, ...given], { shown });
  return readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n").map(JSON.parse);
}

/** COCO metrics of weights of a run's architecture on the validation images of a data set. */
export function evaluated(weights, { run, data }) {
  const recipe = join(run, "recipe.yaml");
  return JSON.parse(commandLine(["evaluate", "--weights", weights, "--recipe", recipe, "--data", data, "--json"]));
}

/**
 * A run whose folder is gone afterwards: its rows, and the metrics of the named files of its checkpoints on the validation images of
 * `set["data.dir"]`.
 */
export function trained(recipe, set = {}, { shown = false, weights = [] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "rfdetr-trained-"));
  try {
    const run = join(folder, "run");
    const rows = trainInto(run, recipe, set, { shown });
    const files = weights.map((file) => join(run, "checkpoints", file));
    return { rows, evaluate: files.map((file) => evaluated(file, { run, data: set["data.dir"] })) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The loss of each step that has a row. */
export const trainLosses = (rows) => rows.filter(({ split }) => split === "train").map(({ loss }) => loss);

export const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
export const spread = (list) => Math.max(...list) - Math.min(...list);
