// How a run has ended, as W&B counts it.

import { runFiles } from "../../../run/files.ts";
import { type RunStatus, readLog } from "../../../run/runLog.ts";

/** The exit code of the program for each end. */
const EXIT_CODES = { done: 0, failed: 1, interrupted: 3, "out-of-time": 3, running: null, gone: null } as const;

/** The exit code for an end; null where there is none: the run was killed, or it still runs. */
export function exitCodeOf(status: RunStatus): number | null {
  return EXIT_CODES[status];
}

/** That of a run folder's last end, by its log. */
export async function lastExitCode(dir: string): Promise<number | null> {
  return exitCodeOf((await readLog(runFiles(dir).log)).status);
}
