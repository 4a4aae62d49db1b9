// Asking a run to stop: what SIGTERM does, sent to the process that really writes the run.

import { readdir, readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { runFiles } from "../../run/files.ts";
import { type Holder, holderOf } from "../../util/threads/lock.ts";

/** `message` is for people. */
export type Asking = { asked: boolean; message: string };

/** The command line in the words of a process: the launcher under its name, or what that starts. A program of somebody's own may know no SIGTERM. */
const COMMAND = /(^|\/)(rfdetr-train(\.mjs)?|cli\/main\.[jt]s)$/;

/** Holders that were asked already: a second signal would have them give up what is under way. */
const asked = new Set<string>();

/**
 * Have the run in `dir` stop after the step that is under way, with a checkpoint. run.lock only names a process, and may be anybody's file:
 * the process has to have the run's metrics.jsonl open, and to be our command line, which answers SIGTERM.
 */
export async function stopRun(dir: string): Promise<Asking> {
  const holder = await holderOf(runFiles(dir).lock);
  if (!holder) return { asked: false, message: "No process writes this run now." };
  const by = `${holder.pid} ${holder.began}`;
  if (asked.has(by))
    return { asked: true, message: "It was asked already, and stops after the step that is under way." };
  const why = await refusal(dir, holder);
  if (why !== undefined) return { asked: false, message: why };
  try {
    process.kill(holder.pid, "SIGTERM");
  } catch (error) {
    return { asked: false, message: `Process ${holder.pid} cannot be reached: ${(error as Error).message}.` };
  }
  asked.add(by);
  return { asked: true, message: "It stops after the step that is under way, with a checkpoint." };
}

/** Why a process is not sent a signal. */
async function refusal(dir: string, { pid, host }: Holder): Promise<string | undefined> {
  if (host !== hostname()) return `The run is written on another machine (${host}): stop it there.`;
  const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
  if (words.join("") === "")
    return `This system does not say what process ${pid} is. Stop it at its terminal, with Ctrl-C.`;
  if (!(await hasOpen(pid, runFiles(dir).metrics)))
    return `Process ${pid} does not write this run, as far as it shows.`;
  if (!words.some((word) => COMMAND.test(word)))
    return `Process ${pid} is a program of its own, which may not stop cleanly. End it in its own way.`;
  return undefined;
}

/** Whether a process has a file open; also no where it may not be asked. */
async function hasOpen(pid: number, path: string): Promise<boolean> {
  const wanted = await stat(path).catch(() => undefined);
  if (!wanted) return false;
  const folder = `/proc/${pid}/fd`;
  const open = await readdir(folder).catch(() => []);
  const found = await Promise.all(open.map((fd) => stat(join(folder, fd)).catch(() => undefined)));
  return found.some((one) => one?.dev === wanted.dev && one.ino === wanted.ino);
}
