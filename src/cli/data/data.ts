// `rfdetr-train data`: what is done with a data set, a command each.

import type { Argv, CommandModule } from "yargs";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { dataConvertCommand } from "./convert.ts";
import { dataCorrectCommand } from "./correct.ts";
import { dataReviewCommand } from "./review.ts";
import { dataSplitCommand } from "./split.ts";

const commands = [dataConvertCommand, dataSplitCommand, dataReviewCommand, dataCorrectCommand];

export const dataCommand: CommandModule<object, { command: string }> = {
  command: "data <command>",
  describe: "Convert a data set, divide it, or find and correct labels that may be wrong",
  builder: (yargs) => yargs.command(commands as unknown as CommandModule[]) as Argv<{ command: string }>,
  handler: ({ command }) => {
    const names = commands.map((one) => String(one.command).split(" ")[0]!);
    const meant = closest(command, names);
    throw new UserError(`There is no command "data ${command}".${meant ? ` Did you mean "data ${meant}"?` : ""}`, {
      hint: `Commands: ${names.map((name) => `data ${name}`).join(", ")}.`,
    });
  },
};
