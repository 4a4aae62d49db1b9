// A run of a recipe by the command line, for the benchmarks that look at what came of it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { here } from "./stepper.mjs";

/** The rows of metrics.jsonl of a run with these keys overridden; its folder is gone afterwards. `shown`: its output is. */
export function trainedRows(recipe, set = {}, { shown = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "rfdetr-trained-"));
  try {
    const run = join(folder, "run");
    const given = Object.entries(set).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const args = ["--import", "tsx", here("../../src/cli/main.ts"), "--recipe", recipe, "--run", run, ...given];
    const { status, stderr } = spawnSync(process.execPath, args, shown ? { stdio: "inherit" } : { encoding: "utf8" });
    if (status !== 0) throw new Error(`exit code ${status}\n${stderr ?? ""}`);
    return readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n").map(JSON.parse);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
