// What a run's folder says now: files that have not changed since the last time are not read again. Nothing is written, and no lock is taken.

import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { recipeDefaults } from "../../report/recipeDefaults.ts";
import type { RunPictures } from "../../report/runPage.ts";
import { readEvaluationPictures } from "../../report/writeReport.ts";
import type { MetricsRow } from "../../run/events.ts";
import { RUN_FILES, runFiles } from "../../run/files.ts";
import { readSeenBatch } from "../../run/records/batches.ts";
import { readEvaluation } from "../../run/records/evaluation.ts";
import { readFixedPictures } from "../../run/records/fixedPictures.ts";
import { readTestRecord } from "../../run/records/testRecord.ts";
import { openRunFolder, type RunContents } from "../../run/runFolder.ts";
import { asHeld } from "../../run/runLog.ts";
import { type Holder, holderOf } from "../../util/threads/lock.ts";
import { queue } from "../../util/threads/queue.ts";
import { metricsTail } from "./metricsTail.ts";

/** A run at a moment. */
type RunNow = {
  run: RunContents;
  pictures: RunPictures;
  defaults: Record<string, unknown> | undefined;
  /** The process that writes it; undefined where nobody does. */
  holder: Holder | undefined;
  /** Another number where anything else is different. */
  version: number;
};

export type RunReader = {
  /** Throws a UserError where the folder is no run, or its rows cannot be read. */
  read(): Promise<RunNow>;
  /** Keep no rows. */
  forget(): void;
};

export function runReader(dir: string): RunReader {
  const files = runFiles(dir);
  const tail = metricsTail(files.metrics);
  const inTurn = queue(); // a browser asks whenever it likes, also while we look ourselves
  let [version, state] = [0, ""];
  const again = <Value>(paths: readonly string[], read: (key: string) => Promise<Value>) =>
    whenChanged(paths, async (key) => {
      version++;
      return read(key);
    });
  const opened = again([files.recipe], () => openRunFolder(dir));
  const defaults = again([files.recipe], () => recipeDefaults(dir));
  const environment = again([files.environment], async () => (await opened()).environment());
  const log = again([files.log], async () => (await opened()).log());
  const exported = again([files.exported], async () => (await opened()).exported());
  const test = again([files.testEvaluation], () => readTestRecord(dir));
  const first = again([files.firstBatch], () => readSeenBatch(files.firstBatch));
  const last = again([files.lastBatch], () => readSeenBatch(files.lastBatch));
  const fixed = again([files.fixedPictures], () => readFixedPictures(dir));
  const missing = again([files.log, files.metrics], async () => (await opened()).missing(await tail.read()));
  const latest: { evaluation: RunContents["evaluation"]; shown: RunPictures } = { evaluation: null, shown: NONE };
  const evaluation = again([files.evaluation, files.bestEvaluation, files.thumbnails], async () => {
    const { selection } = await opened();
    const rows = await tail.read();
    latest.evaluation = await readEvaluation(dir, { rows, best: selection.best(rows) });
    latest.shown = await readEvaluationPictures(dir, latest.evaluation);
    return latest;
  });
  const read = async (): Promise<RunNow> => {
    const { name, recipeText, recipe, selection } = await opened();
    const rows = await tail.read();
    const holder = await holderOf(files.lock);
    const best = selection.best(rows);
    const { evaluation: details, shown } = await evaluation(`${best?.step} ${lastEvaluated(rows)}`);
    const now = `${rows.length} ${rows.at(-1)?.step} ${holder?.pid} ${holder?.began}`;
    if (now !== state) version++;
    state = now;
    const run: RunContents = {
      ...{ dir, name, recipeText, recipe, best, rows: [...rows], metric: selection.metric },
      missing: holder ? null : await missing(), // while it is written, a checkpoint may count rows that we have not read yet
      environment: await environment(),
      log: asHeld(await log(), holder !== undefined),
      test: await test(),
      ...{ evaluation: details, firstBatch: await first(), lastBatch: await last(), exported: await exported() },
    };
    return { run, pictures: { ...shown, fixed: await fixed() }, defaults: await defaults(), holder, version };
  };
  return { forget: () => void inTurn(tail.forget), read: () => inTurn(read) };
}

const NONE: RunPictures = { pictures: new Map() };

function lastEvaluated(rows: readonly MetricsRow[]): number | undefined {
  return rows.findLast(({ split }) => split === "val")?.step;
}

/** Whether a folder looks like that of a run. */
export async function holdsRecipe(dir: string): Promise<boolean> {
  return lstat(join(dir, RUN_FILES.recipe)).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** A value that is read again where one of these files, or the key that is given, is another one than the last time. */
function whenChanged<Value>(
  paths: readonly string[],
  read: (key: string) => Promise<Value>,
): (key?: string) => Promise<Value> {
  let last: { stamp: string; value: Promise<Value> } | undefined;
  return async (key = "") => {
    const stamp = [key, ...(await Promise.all(paths.map(stampOf)))].join("|");
    if (last?.stamp !== stamp) last = { stamp, value: read(key) };
    const { value } = last;
    return value.catch((error: unknown) => {
      if (last?.value === value) last = undefined; // tried again the next time
      throw error;
    });
  };
}

async function stampOf(path: string): Promise<string> {
  return lstat(path).then(
    ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
    () => "none",
  );
}
