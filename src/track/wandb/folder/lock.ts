// Which process sends a run to W&B: two at once would both write its end.

import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runFiles } from "../../../run/files.ts";
import { readJsonObject } from "../../../run/json.ts";
import { writeFileAtomic } from "../../../util/files.ts";
import { checkInside } from "../../../util/untrusted/regular.ts";

type Holder = { pid: number; began: string };

const fileOf = (dir: string) => join(runFiles(dir).wandb, "sending.json");

/** This process sends the run in `dir` from now on. */
export async function takeLock(dir: string): Promise<void> {
  checkInside(fileOf(dir), dir);
  await mkdir(runFiles(dir).wandb, { recursive: true });
  const holder: Holder = { pid: process.pid, began: await beginningOf(process.pid) };
  await writeFileAtomic(fileOf(dir), JSON.stringify(holder));
}

export async function releaseLock(dir: string): Promise<void> {
  await rm(fileOf(dir), { force: true });
}

/** The process that sends the run now, if it lives. */
export async function lockHolder(dir: string): Promise<number | undefined> {
  const { pid, began } = (await readJsonObject<Partial<Holder>>(fileOf(dir))) ?? {};
  // A file that a crash or a stranger left damaged holds nothing; 0 and negative numbers mean groups of processes.
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid <= 0) return undefined;
  return isAlive(pid) && (await beginningOf(pid)) === began ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process began, where the system tells: numbers of processes come again, above all in containers. */
async function beginningOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
