// The launcher that users start, in a process of its own. Loading this module builds dist where the sources are newer.

import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";

/** What a command line printed, and its exit code (-1: it was killed). */
export type Launched = { code: number; out: string; err: string };

/** `input`: what comes on standard input. */
type Options = { cwd?: string; env?: NodeJS.ProcessEnv; launcher?: string; input?: Uint8Array };

/** The launcher of this checkout. */
export const LAUNCHER = join(import.meta.dirname, "..", "..", "bin", "rfdetr-train.mjs");
// Once for each file of tests, so that no command says that it builds.
spawnSync(process.execPath, [LAUNCHER, "--version"]);

/** Run `rfdetr-train WORDS` as a user does. */
export function launch(
  words: readonly string[],
  { launcher = LAUNCHER, input, ...options }: Options = {},
): Promise<Launched> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [launcher, ...words], options, (_error, out, err) => {
      done({ code: child.exitCode ?? -1, out, err });
    });
    if (input) child.stdin?.end(input);
  });
}
