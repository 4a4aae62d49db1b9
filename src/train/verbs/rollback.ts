// Going back: an older checkpoint becomes the one that `resume` continues from. Nothing is deleted.

import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { linkCheckpoint, linkedCheckpoint } from "../../checkpoint/store/links.ts";
import {
  type CheckpointInfo,
  listCheckpoints,
  loadCheckpoint,
  verifyCheckpoint,
} from "../../checkpoint/store/store.ts";
import { RUN_FILES, runFiles } from "../../run/files.ts";
import { readRunText } from "../../run/json.ts";
import { lockRun } from "../../run/lock.ts";
import { missingRows, openMetricsFile, parseRow } from "../../run/records/metricsFile.ts";
import { openRunFolder } from "../../run/runFolder.ts";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { syncDirectory, writeFileAtomic } from "../../util/files.ts";
import { isMissing } from "../../util/untrusted/regular.ts";
import { recordResults } from "../record/record.ts";
import { reportRun } from "../record/report.ts";
import type { RunState } from "../record/saving.ts";
import { requireRun } from "../run.ts";
import { cutFindings, hasLaterFindings } from "../seen/fixedPictures.ts";
import { moveAside, outdatedFiles } from "./outdated.ts";

export type Rollback = CheckpointInfo & {
  name: string;
  /** What its score is of. */
  metric: string;
  /** What `best` points to now. */
  best: string | null;
  /** Newer checkpoints, and the folder that they were moved to. */
  movedAside: string[];
  folder: string | null;
  /** Files of later evaluations and of other weights than the best ones now, moved there, too. */
  filesAside: string[];
  /** Rows taken out of metrics.jsonl, and the file that keeps them. */
  rowsCut: number;
  rowsFile: string | null;
  /** What to say where metrics.jsonl lacks rows that the checkpoint counts. */
  warning: string | null;
};

/**
 * Make a checkpoint of a run the last one: `to` is its name, or "best". Newer ones and their rows of metrics.jsonl are moved aside, so that they
 * do not mix with what will be trained from here. Does the rest where an earlier call was killed half-way. Throws a
 * UserError that lists the checkpoints where there is no such one, or names the file that is damaged.
 */
export async function rollback(runDir: string, to: string): Promise<Rollback> {
  const release = await lockRun(await requireRun(runDir));
  try {
    return await rollbackLocked(runDir, to);
  } finally {
    await release();
  }
}

async function rollbackLocked(runDir: string, to: string): Promise<Rollback> {
  const dir = runFiles(runDir).checkpoints;
  const all = await listCheckpoints(dir);
  const name = to === "best" ? ((await linkedCheckpoint(dir, "best")) ?? to) : to;
  const position = all.findIndex((one) => one.name === name);
  const target = all[position];
  if (all.length === 0)
    throw new UserError(`There is no checkpoint in ${dir}.`, {
      hint: "Name the folder that rfdetr-train wrote, such as checkpoints/trees.",
    });
  const metric = (await openRunFolder(runDir)).selection.metric;
  if (!target) throw noSuch(runDir, name, all, metric);
  await verifyCheckpoint(join(dir, name));
  const { state } = await loadCheckpoint(join(dir, name), []);
  const { metricsRows, best, step } = state as RunState;

  const number = freeNumber(runDir);
  const rows = await copyRows(runDir, { rows: metricsRows, throughStep: step }, number);
  await linkCheckpoint(dir, "last", name);
  const newer = all.slice(position + 1).map((one) => one.name);
  const folder = join(dir, `rolled-back-${number}`);
  if (newer.length > 0) {
    await mkdir(folder, { recursive: true });
    for (const one of newer) await rename(join(dir, one), join(folder, one));
    await syncDirectory(dir);
  }
  const left = all.slice(0, position + 1).filter(({ score }) => score !== null);
  const bestLeft = left.findLast(({ step }) => step === best?.step) ?? left.toSorted((a, b) => b.score! - a.score!)[0];
  if (bestLeft) await linkCheckpoint(dir, "best", bestLeft.name);
  else await rm(join(dir, "best"), { force: true });
  const metrics = await openMetricsFile(runFiles(runDir).metrics, { rows: metricsRows, throughStep: step });
  const missing = missingRows(runFiles(runDir).metrics, { rows: metrics.rows, counted: metricsRows });
  await metrics.close();
  await recordResults({ dir: runDir });
  const outdated = await outdatedFiles(runDir, step);
  const later = await hasLaterFindings(runDir, step);
  if (outdated.length > 0 || later) await mkdir(folder, { recursive: true });
  const filesAside = await moveAside(runDir, outdated, folder);
  if (later) {
    await copyFile(runFiles(runDir).fixedPictures, join(folder, RUN_FILES.fixedPictures));
    await cutFindings(runDir, step);
  }
  await reportRun(runDir);
  return {
    ...target,
    metric,
    best: bestLeft?.name ?? null,
    movedAside: newer,
    folder: newer.length + filesAside.length > 0 ? folder : null,
    filesAside,
    ...rows,
    warning: missing ?? null,
  };
}

/** A line about a kept checkpoint. */
function describe({ name, epoch, step, score }: CheckpointInfo & { name: string }, metric: string): string {
  return `  ${name}  epoch ${epoch + 1}, step ${step}, ${metric} ${score?.toFixed(3) ?? "not evaluated"}`;
}

function noSuch(runDir: string, name: string, all: (CheckpointInfo & { name: string })[], metric: string): UserError {
  const meant = closest(
    name,
    all.map((one) => one.name),
  );
  const list = `Kept are:\n${all.map((one) => describe(one, metric)).join("\n")}`;
  return new UserError(`The run ${runDir} has no checkpoint ${name}. ${list}`, {
    hint: `Choose one of them${meant ? `, such as ${meant}` : ""}.`,
  });
}

/** A number that neither a folder of checkpoints nor a file of rows has taken. */
function freeNumber(runDir: string): number {
  let number = 1;
  const taken = () =>
    existsSync(join(runFiles(runDir).checkpoints, `rolled-back-${number}`)) ||
    existsSync(join(runDir, rowsName(number)));
  while (taken()) number++;
  return number;
}

const rowsName = (number: number) => `metrics.rolled-back-${number}.jsonl`;

/** Copy the rows that will be cut from metrics.jsonl. */
async function copyRows(
  runDir: string,
  { rows, throughStep }: { rows: number; throughStep: number },
  number: number,
): Promise<Pick<Rollback, "rowsCut" | "rowsFile">> {
  const text = await readRunText(runFiles(runDir).metrics).catch((error: unknown) => {
    if (isMissing(error)) return "";
    throw error;
  });
  const all = text.split("\n").slice(0, -1); // what follows the last line's end is nothing, or torn
  const first = all.findIndex((line, i) => i >= rows || (parseRow(line)?.step ?? 0) > throughStep);
  const lines = first < 0 ? [] : all.slice(first);
  if (lines.length === 0) return { rowsCut: 0, rowsFile: null };
  const path = join(runDir, rowsName(number));
  await writeFileAtomic(path, `${lines.join("\n")}\n`);
  return { rowsCut: lines.length, rowsFile: path };
}
