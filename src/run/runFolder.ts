// All that a run folder says about its run, as far as it is there: a report can be made of any run at any time.

import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";
import type { FileRecord } from "../export/record.ts";
import { exportedFiles } from "../report/exportSection.ts";
import type { EvaluationRecord } from "../train/record/evaluationRecord.ts";
import { UserError } from "../util/errors.ts";
import type { Environment } from "./environment.ts";
import type { MetricsRow, ValRow } from "./events.ts";
import { readMetrics } from "./metricsFile.ts";
import { type RunLog, readLog } from "./runLog.ts";
import { metricOf } from "./selectionMetric.ts";

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
  const recipeText = await readFile(join(dir, "recipe.yaml"), "utf8").catch((cause) => {
    throw new UserError(`${dir} is no run: it has no recipe.yaml that can be read.`, {
      hint: "Name the folder that rfdetr-train wrote, such as checkpoints/trees.",
      cause,
    });
  });
  const recipe = recipeOf(recipeText, dir);
  const rows = await readMetrics(join(dir, "metrics.jsonl"));
  const metric = metricOf(recipe);
  const best = bestRow(rows, metric);
  return {
    ...{ dir, recipeText, recipe, rows, metric, best },
    name: typeof recipe.name === "string" ? recipe.name : basename(resolve(dir)),
    environment: await readJson<Environment>(join(dir, "environment.json")),
    log: await readLog(join(dir, "log.jsonl")),
    evaluation: await readEvaluation(dir, rows, best),
    exported: exportedFiles(await readJson(join(dir, "export.json"))),
  };
}

function recipeOf(text: string, dir: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new UserError(`${join(dir, "recipe.yaml")} is not valid YAML.`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UserError(`${join(dir, "recipe.yaml")} is not a recipe.`);
  return value as Record<string, unknown>;
}

/** The value of a metric in a row: one of its own, or "AP:NAME" for that of a class. */
export function metricValue(row: ValRow, metric: string): number | null {
  const value = metric.startsWith("AP:") ? row.per_class[metric.slice(3)] : row[metric as "AP50"];
  return typeof value === "number" ? value : null;
}

function bestRow(rows: readonly MetricsRow[], metric: string): ValRow | null {
  let best: ValRow | null = null;
  for (const row of rows) {
    if (row.split !== "val") continue;
    const value = metricValue(row, metric);
    if (value !== null && value > (best === null ? Number.NEGATIVE_INFINITY : metricValue(best, metric)!)) best = row;
  }
  return best;
}

/** Records of evaluations that metrics.jsonl no longer has, such as after a rollback, do not count. */
async function readEvaluation(
  dir: string,
  rows: readonly MetricsRow[],
  best: ValRow | null,
): Promise<EvaluationRecord | null> {
  const known = new Set(rows.filter(({ split }) => split === "val").map(({ step }) => step));
  const [ofBest, last] = await Promise.all(
    ["evaluation-best.json", "evaluation.json"].map((name) => readJson<EvaluationRecord>(join(dir, name))),
  );
  if (isWhole(ofBest) && ofBest.step === best?.step) return ofBest;
  return isWhole(last) && known.has(last.step) ? last : null;
}

/** Whether a record has all the parts that a page shows; a later version's may not. */
function isWhole(record: EvaluationRecord | null | undefined): record is EvaluationRecord {
  if (record?.format !== 1) return false;
  const { perClass, confusion, precisionRecall, f1, f1Sweep, pictures, threshold } = record;
  const lists = [perClass, confusion?.classes, confusion?.counts, precisionRecall?.classes, f1Sweep, pictures];
  return lists.every(Array.isArray) && [f1?.threshold, threshold].every((value) => typeof value === "number");
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
