// `rfdetr-train data`: what is done with a data set, a command each.

import type { Argv, CommandModule } from "yargs";
import { dataConvertCommand } from "./convert.ts";

const commands = [dataConvertCommand];

export const dataCommand: CommandModule = {
  command: "data <command>",
  describe: "Convert a data set",
  builder: (yargs: Argv) => yargs.command(commands as unknown as CommandModule[]),
  handler: () => {},
};
