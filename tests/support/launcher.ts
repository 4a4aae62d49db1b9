// The launcher that users start, in a process of its own. It builds dist first where the sources are newer.

import { execFile } from "node:child_process";
import { join } from "node:path";

/** What a command line printed, and its exit code (-1: it was killed). */
export type Launched = { code: number; out: string; err: string };

/** Run `rfdetr-train WORDS` as a user does. */
export function launch(
  words: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Launched> {
  const launcher = join(import.meta.dirname, "..", "..", "bin", "rfdetr-train.mjs");
  return new Promise((done) => {
    const child = execFile(process.execPath, [launcher, ...words], options, (_error, out, err) => {
      done({ code: child.exitCode ?? -1, out, err });
    });
  });
}
