// A run's folder, opened: whoever reads one reads it through this, whichever version wrote it.

import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { listCheckpoints, loadCheckpoint } from "../checkpoint/store/store.ts";
import { loadRecipe } from "../recipe/load.ts";
import type { Recipe } from "../recipe/schema.ts";
import { UserError } from "../util/errors.ts";
import { holderOf } from "../util/threads/lock.ts";
import { isObject } from "../util/untrusted/json.ts";
import { MOST_YAML_BYTES, parseYaml } from "../util/untrusted/yaml.ts";
import type { Environment } from "./environment.ts";
import type { MetricsRow, ValRow } from "./events.ts";
import { type RunFiles, runFiles } from "./files.ts";
import { readJsonObject, readRunText } from "./json.ts";
import { readSeenBatch, type SeenBatch } from "./records/batches.ts";
import { type EvaluationRecord, readEvaluation } from "./records/evaluation.ts";
import { type FileRecord, readExported } from "./records/exported.ts";
import { missingRows, readMetrics } from "./records/metricsFile.ts";
import { readTestRecord, type TestRecord } from "./records/testRecord.ts";
import { asHeld, type RunLog, readLog } from "./runLog.ts";
import { type Selection, selection } from "./selection.ts";

/** An open folder. Its files are read when they are asked for; what an older version did not write is null or empty. */
type RunFolder = {
  dir: string;
  /** The recipe's name, else the folder's. */
  name: string;
  files: RunFiles;
  /** recipe.yaml as it is, and its values as plain data: those of another version may not be a recipe of this one. */
  recipeText: string;
  recipe: Record<string, unknown>;
  /** How the run chooses its best evaluation. */
  selection: Selection;
  /** The recipe as this version checks it. Throws a UserError where it is none. */
  resolvedRecipe(): Promise<Recipe>;
  /** None where there is no file. Throws a UserError where they cannot be read. */
  rows(): Promise<MetricsRow[]>;
  /** What to say where there are fewer rows than the newest checkpoint counts; null where none is missing. */
  missing(rows: readonly MetricsRow[]): Promise<string | null>;
  environment(): Promise<Environment | null>;
  log(): Promise<RunLog>;
  exported(): Promise<FileRecord[]>;
};

/** All that a run's folder says about its run at one time: a report can be made of any run at any time. */
export type RunContents = Pick<RunFolder, "dir" | "name" | "recipeText" | "recipe"> & {
  rows: MetricsRow[];
  /** What to say where rows are missing; null where none is. */
  missing: string | null;
  environment: Environment | null;
  log: RunLog;
  /** The best row by `metric`, which is what the run chose its best checkpoint by. */
  best: ValRow | null;
  metric: string;
  /** The details of the best evaluation, or of the last one where those are not there. */
  evaluation: EvaluationRecord | null;
  /** What came of the test split; null where the run was not tested. */
  test: TestRecord | null;
  /** The first batch that it trained on, and one of the last minutes, as pictures; null where it has not come so far. */
  firstBatch: SeenBatch | null;
  lastBatch: SeenBatch | null;
  exported: FileRecord[];
};

/** Pictures of an evaluation by their file; what is not there is left out of a page. */
export type Pictures = ReadonlyMap<string, Uint8Array>;

/** Open a run's folder. Throws a UserError where it is none. */
export async function openRunFolder(dir: string): Promise<RunFolder> {
  const files = runFiles(dir);
  const recipeText = await readRunText(files.recipe, { most: MOST_YAML_BYTES }).catch((cause) => {
    throw new UserError(`${dir} is no run. ${(cause as Error).message}`, {
      hint: "Name the folder that rfdetr-train wrote, such as checkpoints/trees.",
      cause,
    });
  });
  const recipe = recipeOf(recipeText, files.recipe);
  return {
    ...{ dir, files, recipeText, recipe },
    name: typeof recipe.name === "string" ? recipe.name : basename(resolve(dir)),
    selection: selection(recipe),
    resolvedRecipe: () => loadRecipe(files.recipe),
    rows: async () => (existsSync(files.metrics) ? readMetrics(files.metrics) : []),
    missing: ({ length: rows }) => missingOf(files, rows),
    environment: () => readJsonObject<Environment>(files.environment),
    log: () => readLog(files.log),
    exported: () => readExported(dir),
  };
}

/** Read all that a run's folder says. Throws a UserError where it is none. */
export async function readRunFolder(dir: string): Promise<RunContents> {
  const { name, files, recipeText, recipe, selection, ...folder } = await openRunFolder(dir);
  const holder = await holderOf(files.lock); // before the log: who ends writes that first
  const rows = await folder.rows();
  const best = selection.best(rows);
  return {
    ...{ dir, name, recipeText, recipe, rows, best },
    metric: selection.metric,
    missing: await folder.missing(rows),
    environment: await folder.environment(),
    log: asHeld(await folder.log(), holder !== undefined),
    evaluation: await readEvaluation(dir, { rows, best }),
    test: await readTestRecord(dir),
    firstBatch: await readSeenBatch(files.firstBatch),
    lastBatch: await readSeenBatch(files.lastBatch),
    exported: await folder.exported(),
  };
}

/** What tells a run from others of its recipe: the folder's name, with the recipe's where that does not hold it. */
export function runTitle({ name, dir }: { name: string; dir: string }): string {
  const folder = basename(resolve(dir));
  return folder.includes(name) ? folder : `${name} (${folder})`;
}

/** The folder of the run that a path lies in, such as that of weights or a checkpoint; undefined where it lies in none. */
export function runFolderOf(path: string): string | undefined {
  let folder = resolve(path);
  for (let up = 0; up < 4; up++, folder = dirname(folder)) {
    const { recipe, checkpoints } = runFiles(folder);
    if (existsSync(recipe) && existsSync(checkpoints)) return folder;
  }
  return undefined;
}

async function missingOf(files: RunFiles, rows: number): Promise<string | null> {
  const newest = (await listCheckpoints(files.checkpoints)).at(-1);
  if (!newest) return null;
  const { state } = await loadCheckpoint(join(files.checkpoints, newest.name), []).catch(() => ({ state: {} }));
  const { metricsRows: counted } = state as { metricsRows?: unknown };
  return (typeof counted === "number" && missingRows(files.metrics, { rows, counted })) || null;
}

function recipeOf(text: string, path: string): Record<string, unknown> {
  const value = parseYaml(text, path).values;
  if (!isObject(value)) throw new UserError(`${path} is not a recipe.`);
  return value as Record<string, unknown>;
}
