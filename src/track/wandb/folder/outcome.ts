// How a run has ended, as W&B counts it.

import { readFile } from "node:fs/promises";
import type { EndStatus } from "../../../run/events.ts";
import { runFiles } from "../../../run/files.ts";

/** The exit code of the program for each end. */
const EXIT_CODES: Record<EndStatus | "failed", number> = { done: 0, failed: 1, interrupted: 3, "out-of-time": 3 };

export function exitCodeOf(status: EndStatus | "failed"): number {
  return EXIT_CODES[status];
}

/** The exit code of a run folder's last end, by its log; null where it has none: the run was killed, or it still runs. */
export async function lastExitCode(dir: string): Promise<number | null> {
  const text = await readFile(runFiles(dir).log, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  for (const line of text.split("\n").reverse()) {
    const message = messageOf(line);
    if (message === "started" || message === "resumed") return null;
    if (message !== undefined && Object.hasOwn(EXIT_CODES, message)) return EXIT_CODES[message as EndStatus];
  }
  return null;
}

function messageOf(line: string): string | undefined {
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === "string" ? msg : undefined;
  } catch {
    return undefined; // empty, or torn by a crash
  }
}
