// `resume`: continues an interrupted run where it stopped.

import type { CommandModule } from "yargs";
import { askedCluster, RUN_ARGUMENT, WORKERS_OPTIONS, type WorkersArguments } from "../options.ts";
import { SHOWING, type Showing, showProgress } from "./train.ts";

type Arguments = { dir: string } & Showing & WorkersArguments;

export const resumeCommand: CommandModule<object, Arguments> = {
  command: "resume <dir>",
  describe: "Continue an interrupted run exactly where it stopped",
  builder: (yargs) => yargs.positional("dir", RUN_ARGUMENT).options(WORKERS_OPTIONS).options(SHOWING) as never,
  handler: async ({ dir, json, logLevel, ...others }) => {
    const { resume } = await import("../../train/run.ts");
    await showProgress({ json, logLevel, together: askedCluster(others) }, (options) => resume(dir, options));
  },
};
