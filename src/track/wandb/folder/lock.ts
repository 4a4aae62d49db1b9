// Which process sends a run to W&B: two at once would both write its end.

import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runFiles } from "../../../run/files.ts";
import { writeFileAtomic } from "../../../util/files.ts";
import { holderOf, thisProcess } from "../../../util/threads/lock.ts";
import { checkInside } from "../../../util/untrusted/regular.ts";

const fileOf = (dir: string) => join(runFiles(dir).wandb, "sending.json");

/** This process sends the run in `dir` from now on: it is the run's own. */
export async function takeLock(dir: string): Promise<void> {
  checkInside(fileOf(dir), dir);
  await mkdir(runFiles(dir).wandb, { recursive: true });
  await writeFileAtomic(fileOf(dir), JSON.stringify(await thisProcess()));
}

export async function releaseLock(dir: string): Promise<void> {
  await rm(fileOf(dir), { force: true });
}

/** The process that sends the run now, if it lives. */
export async function lockHolder(dir: string): Promise<number | undefined> {
  return (await holderOf(fileOf(dir)))?.pid;
}
