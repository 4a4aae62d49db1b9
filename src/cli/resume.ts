// `resume`: continues an interrupted run where it stopped.

import type { CommandModule } from "yargs";
import { follow } from "./train.ts";

type Arguments = { dir: string; json: boolean };

export const resumeCommand: CommandModule<object, Arguments> = {
  command: "resume <dir>",
  describe: "Continue an interrupted run exactly where it stopped",
  builder: (yargs) =>
    yargs
      .positional("dir", { type: "string", demandOption: true, describe: "The run's folder" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as JSON, all else to stderr" }),
  handler: async ({ dir, json }) => {
    const { resume } = await import("../train/run.ts");
    await follow(json, (options) => resume(dir, options));
  },
};
