// All that a run folder says about its run, as far as it is there: a report can be made of any run at any time.

import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { parse } from "yaml";
import { UserError } from "../util/errors.ts";
import type { Environment } from "./environment.ts";
import { type EvaluationRecord, readEvaluation } from "./evaluation.ts";
import type { MetricsRow, ValRow } from "./events.ts";
import { type FileRecord, readExported } from "./exported.ts";
import { RUN_FILES, runFiles } from "./files.ts";
import { readMetrics } from "./metricsFile.ts";
import { type RunLog, readLog } from "./runLog.ts";
import { selection } from "./selection.ts";

export type RunFolder = {
  dir: string;
  name: string;
  /** recipe.yaml as it is, and its values. */
  recipeText: string;
  recipe: Record<string, unknown>;
  rows: MetricsRow[];
  environment: Environment | null;
  log: RunLog;
  /** The best row by `metric`, which is what the run chose its best checkpoint by. */
  best: ValRow | null;
  metric: string;
  /** The details of the best evaluation, or of the last one where those are not there. */
  evaluation: EvaluationRecord | null;
  exported: FileRecord[];
};

/** Pictures of an evaluation by their file; what is not there is left out of a page. */
export type Pictures = ReadonlyMap<string, Uint8Array>;

/** Read a run folder. Throws a UserError where it is none. */
export async function readRunFolder(dir: string): Promise<RunFolder> {
  const files = runFiles(dir);
  const recipeText = await readFile(files.recipe, "utf8").catch((cause) => {
    throw new UserError(`${dir} is no run: it has no ${RUN_FILES.recipe} that can be read.`, {
      hint: "Name the folder that rfdetr-train wrote, such as checkpoints/trees.",
      cause,
    });
  });
  const recipe = recipeOf(recipeText, dir);
  const rows = await readMetrics(files.metrics);
  const { metric, best: bestOf } = selection(recipe);
  const best = bestOf(rows);
  return {
    ...{ dir, recipeText, recipe, rows, metric, best },
    name: typeof recipe.name === "string" ? recipe.name : basename(resolve(dir)),
    environment: await readJson<Environment>(files.environment),
    log: await readLog(files.log),
    evaluation: await readEvaluation(dir, { rows, best }),
    exported: await readExported(dir),
  };
}

function recipeOf(text: string, dir: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new UserError(`${runFiles(dir).recipe} is not valid YAML.`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UserError(`${runFiles(dir).recipe} is not a recipe.`);
  return value as Record<string, unknown>;
}

/** A JSON object, or null where there is none that can be read. */
async function readJson<Value extends object>(path: string): Promise<Value | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Value) : null;
  } catch {
    return null;
  }
}
