// Whoever started this program: its parent, and npm where a shell of npm's stands between the two.

import { readFileSync } from "node:fs";

/** Returns what says whether all of them are still there. */
export function watchStarter(): () => boolean {
  const parent = process.ppid;
  const above = parentOf(parent);
  const isNpm = above !== undefined && /\b(npm|npx|pnpm|yarn)\b/.test(read(above, "cmdline"));
  return () => process.ppid === parent && (!isNpm || parentOf(parent) === above);
}

/** The number of a process's parent; undefined where the system does not say. */
function parentOf(pid: number): number | undefined {
  const status = read(pid, "stat");
  const fields = status.slice(status.lastIndexOf(")") + 2).split(" "); // the name before it may hold anything
  return fields[1] === undefined ? undefined : Number(fields[1]);
}

function read(pid: number, file: "cmdline" | "stat"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
