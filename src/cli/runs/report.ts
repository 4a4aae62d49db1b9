// `report`: report.html of a run folder, written again.

import type { CommandModule } from "yargs";

type Arguments = { dir: string; json: boolean };

export const reportCommand: CommandModule<object, Arguments> = {
  command: "report <dir>",
  describe: "Write the HTML report of a run again",
  builder: (yargs) =>
    yargs
      .positional("dir", { type: "string", demandOption: true, describe: "The run's folder" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as JSON" }),
  handler: async ({ dir, json }) => {
    const { reportRun } = await import("../../train/record/report.ts");
    const report = await reportRun(dir);
    console.log(json ? JSON.stringify({ run: dir, report }) : `Wrote ${report}`);
  },
};
