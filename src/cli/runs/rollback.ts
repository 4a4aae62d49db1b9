// `rollback`: an older checkpoint becomes the one that `resume` continues from.

import type { CommandModule } from "yargs";
import { JSON_OPTION, RUN_ARGUMENT } from "../options.ts";
import { printResult } from "../terminal/print.ts";

type Arguments = { dir: string; to: string; json: boolean };

export const rollbackCommand: CommandModule<object, Arguments> = {
  command: "rollback <dir>",
  describe: "Make an older checkpoint the one that resume continues from",
  builder: (yargs) =>
    yargs
      .positional("dir", RUN_ARGUMENT)
      .option("to", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "Name of a checkpoint, such as 0003-00000120, or best; a wrong one lists them",
      })
      .option("json", JSON_OPTION),
  handler: async ({ dir, to, json }) => {
    const { rollback } = await import("../../train/verbs/rollback.ts");
    const { basename } = await import("node:path");
    const done = await rollback(dir, basename(to));
    if (json) {
      console.log(JSON.stringify(done));
      return;
    }
    const { name, epoch, step, metric, score, best, movedAside, filesAside, folder, rowsCut, rowsFile, warning } = done;
    const scored = score === null ? "" : `, ${metric} ${score.toFixed(3)}`;
    printResult(
      `Restored: checkpoint ${name} (epoch ${epoch + 1}, step ${step}${scored}) is the last one now, and intact.`,
    );
    printResult(`Best checkpoint: ${best ?? "none"}`);
    if (folder) printResult(`Moved aside: ${[...movedAside, ...filesAside].join(", ")} to ${folder}`);
    if (rowsFile) printResult(`Cut: ${rowsCut} rows of metrics.jsonl, kept in ${rowsFile}`);
    if (warning) printResult(`Warning: ${warning}`);
    printResult(`Overridden: nothing, the recipe stays as it is. Continue with: rfdetr-train resume ${dir}`);
  },
};
