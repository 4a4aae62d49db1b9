// A run's folder has one writer at a time, and only what a run wrote is ever replaced or deleted.

import { lstat, mkdir, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { UserError } from "../util/errors.ts";
import { fileError } from "../util/files.ts";
import { acquire, holderOf } from "../util/threads/lock.ts";
import type { Environment } from "./environment.ts";
import { RUN_FILES, runFiles } from "./files.ts";
import { readJsonObject } from "./json.ts";

/**
 * Be the one process that writes a run's folder, which is made where it is missing. Throws a UserError that names the process
 * that writes it already.
 * @returns what gives the folder free again
 */
export async function lockRun(dir: string): Promise<() => Promise<void>> {
  const path = runFiles(dir).lock;
  try {
    await mkdir(dir, { recursive: true });
    const taken = await acquire(path);
    if (taken.holder === undefined) return taken.release;
  } catch (cause) {
    throw fileError(path, "write", cause);
  }
  await refuseInUse(dir);
  return lockRun(dir); // it was given free just now
}

/** Throws a UserError where another process writes the run's folder now. */
export async function refuseInUse(dir: string): Promise<void> {
  const path = runFiles(dir).lock;
  const holder = await holderOf(path);
  if (!holder) return;
  const elsewhere = holder.host === hostname() ? "" : ` on ${holder.host}`;
  throw new UserError(`The run ${dir} is in use: another process (${holder.pid}${elsewhere}) is writing to it.`, {
    hint: elsewhere
      ? `Wait for it to end. If it is gone already, try again in three minutes, or delete ${path}.`
      : `Wait for it to end, or stop it with: kill ${holder.pid}`,
  });
}

/** Throws a UserError where a new run in this folder would replace or mix with files that no run of ours wrote. */
export async function refuseForeign(dir: string): Promise<void> {
  const entries = (await readdir(dir).catch(() => [])).filter((name) => !name.startsWith(RUN_FILES.lock));
  if (entries.length === 0) return;
  const ours = await readJsonObject<Partial<Environment>>(runFiles(dir).environment);
  // what a killed process has left of a file ends in a number of its own
  const isOurs = (name: string) =>
    Object.values(RUN_FILES).some((known) => name === known || name.startsWith(`${known}.`));
  const foreign = typeof ours?.rfdetr_train === "string" ? entries.filter((name) => !isOurs(name)) : entries;
  if (foreign.length === 0) return;
  throw new UserError(`The folder ${dir} holds files that are no run's, such as ${foreign[0]}.`, {
    hint: "Nothing in it was touched. Choose an empty folder, or one that does not exist, with --run.",
  });
}

/** Whether a path is a real folder: no link, and no file. */
export async function isRealFolder(path: string): Promise<boolean> {
  return lstat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
