// `report`: report.html of a run folder, written again.

import type { CommandModule } from "yargs";
import { JSON_OPTION, RUN_ARGUMENT } from "../options.ts";
import { printResult } from "../terminal/print.ts";

type Arguments = { dir: string; json: boolean };

export const reportCommand: CommandModule<object, Arguments> = {
  command: "report <dir>",
  describe: "Write the HTML report of a run again",
  builder: (yargs) => yargs.positional("dir", RUN_ARGUMENT).option("json", JSON_OPTION),
  handler: async ({ dir, json }) => {
    const { reportRun } = await import("../../train/record/report.ts");
    const report = await reportRun(dir);
    if (json) console.log(JSON.stringify({ run: dir, report }));
    else printResult(`Wrote ${report}`);
  },
};
