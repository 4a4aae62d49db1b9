// The launcher that users start, in a process of its own. It builds dist first where the sources are newer.

import { execFile } from "node:child_process";
import { join } from "node:path";

/** What a command line printed, and its exit code (-1: it was killed). */
export type Launched = { code: number; out: string; err: string };

type Options = { cwd?: string; env?: NodeJS.ProcessEnv; launcher?: string };

const OWN = join(import.meta.dirname, "..", "..", "bin", "rfdetr-train.mjs");

/** Run `rfdetr-train WORDS` as a user does. */
export function launch(words: readonly string[], { launcher = OWN, ...options }: Options = {}): Promise<Launched> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [launcher, ...words], options, (_error, out, err) => {
      done({ code: child.exitCode ?? -1, out, err });
    });
  });
}
