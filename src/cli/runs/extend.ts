// `extend`: trains a run longer than its recipe said.

import type { CommandModule } from "yargs";
import { UserError } from "../../util/errors.ts";
import { RUN_ARGUMENT, requireCount } from "../options.ts";
import { SHOWING, type Showing, showProgress } from "./train.ts";

type Arguments = { dir: string; epochs?: number; maxHours?: number } & Showing;

export const extendCommand: CommandModule<object, Arguments> = {
  command: "extend <dir>",
  describe: "Train a finished run longer; the schedule is laid over the new length",
  builder: (yargs) =>
    yargs
      .positional("dir", RUN_ARGUMENT)
      .option("epochs", {
        type: "number",
        requiresArg: true,
        describe: "Epochs of the whole run, those that are done included",
      })
      .option("max-hours", {
        type: "number",
        requiresArg: true,
        describe: "Hours of the whole run, those that are over included",
      })
      .options(SHOWING) as never,
  handler: async ({ dir, epochs, maxHours, json, logLevel }) => {
    if (epochs === undefined && maxHours === undefined)
      throw new UserError("How long? --epochs N is missing.", { hint: "N counts the epochs that are done, too." });
    requireCount("epochs", epochs);
    if (maxHours !== undefined && !(maxHours > 0 && Number.isFinite(maxHours)))
      throw new UserError(`--max-hours is ${maxHours}, but must be a number above 0.`);
    const { extend } = await import("../../train/verbs/extend.ts");
    await showProgress({ json, logLevel }, (options) => extend(dir, { epochs, maxHours, ...options }));
  },
};
