// `rfdetr-train setup`: libtensorflow and its addon; and the offer to do so where a command finds them missing.

import { spawnSync } from "node:child_process";
import { createInterface } from "node:readline/promises";
import type { CommandModule } from "yargs";
import { isEngineError } from "../../engine/backend.ts";
import { packagePath } from "../../util/package.ts";

const script = packagePath("setup/main.mjs");

/** Run the set-up, which is plain Node and has a process of its own. Returns its exit code. */
function setUp(options: string[]): number {
  return spawnSync(process.execPath, [script, ...options], { stdio: "inherit" }).status ?? 1;
}

export const setupCommand: CommandModule = {
  command: "setup",
  describe: "Install the engine: libtensorflow into the user's cache, and tfjs-node's addon built against it",
  builder: (yargs) =>
    yargs
      .option("gpu", { type: "boolean", describe: "the library with CUDA, also where no NVIDIA driver is found" })
      .option("cpu", { type: "boolean", describe: "the library without CUDA, also where there is a GPU" })
      .option("force", { type: "boolean", describe: "check every file and build again" })
      .conflicts("gpu", "cpu")
      .epilog("RFDETR_LIBTENSORFLOW=DIR uses a library that is already there; RFDETR_CACHE names the cache folder."),
  handler: (argv) => {
    const options = ["gpu", "cpu", "force"].filter((name) => argv[name] === true);
    process.exitCode = setUp(options.map((name) => `--${name}`));
  },
};

/**
 * After a command failed for want of the engine: offer to set it up, on a terminal only.
 * @returns whether the engine is there now, so that the command can be run again in a new process
 */
export async function offerSetup(error: unknown): Promise<boolean> {
  if (!isEngineError(error) || !process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const question = `${(error as Error).message} Set it up now (it downloads about 300 MB)? [Y/n] `;
  const answer = await terminal.question(question).finally(() => terminal.close());
  return /^(y|yes|)$/i.test(answer.trim()) && setUp([]) === 0;
}
