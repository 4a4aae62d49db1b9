// `resume`: continues an interrupted run where it stopped.

import type { CommandModule } from "yargs";
import { RUN_ARGUMENT } from "../options.ts";
import { SHOWING, type Showing, showProgress } from "./train.ts";

type Arguments = { dir: string } & Showing;

export const resumeCommand: CommandModule<object, Arguments> = {
  command: "resume <dir>",
  describe: "Continue an interrupted run exactly where it stopped",
  builder: (yargs) => yargs.positional("dir", RUN_ARGUMENT).options(SHOWING) as never,
  handler: async ({ dir, json, logLevel }) => {
    const { resume } = await import("../../train/run.ts");
    await showProgress({ json, logLevel }, (options) => resume(dir, options));
  },
};
