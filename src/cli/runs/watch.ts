// `watch`: a page of a run, or of a folder of runs, that follows them in a browser on this machine.

import { constants, setPriority } from "node:os";
import type { CommandModule } from "yargs";
import { UserError } from "../../util/errors.ts";
import { JSON_OPTION, requireOnce } from "../options.ts";
import { stopSignal } from "../signals.ts";
import { printNote, printResult } from "../terminal/print.ts";

type Arguments = { dir: string; port: number; control: boolean; json: boolean };

export const watchCommand: CommandModule<object, Arguments> = {
  command: "watch <dir>",
  describe: "Follow a run, or a folder of runs, in a browser on this machine",
  builder: (yargs) =>
    yargs
      .positional("dir", { type: "string", demandOption: true, describe: "A run's folder, or a folder of runs" })
      .option("port", {
        type: "number",
        requiresArg: true,
        default: 0,
        describe: "Port on 127.0.0.1 [default: a free one]",
      })
      .option("control", { type: "boolean", default: false, describe: "Let the page stop a run, with a checkpoint" })
      .option("json", JSON_OPTION),
  handler: async ({ dir, port, control, json }) => {
    requireOnce({ dir, port });
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new UserError(`--port is ${port}; it must be a whole number up to 65535.`);
    const { watch } = await import("../../watch/watch.ts");
    const signal = stopSignal("ending", () => {});
    yieldToTraining();
    const onReady = (url: string) => {
      if (json) console.log(JSON.stringify({ url, dir }));
      else if (process.stdout.isTTY)
        printResult(`Watching ${dir}: open ${url} in a browser on this machine. Ctrl-C ends it.`);
      else console.log(url);
    };
    await watch(dir, { port, control, signal, onReady, onNote: printNote });
  },
};

/** A training on the same machine goes first. */
function yieldToTraining(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // not everywhere may a program do that
  }
}
