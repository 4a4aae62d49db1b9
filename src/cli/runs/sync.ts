// `sync`: a run that was recorded without W&B, or in part, goes there.

import type { CommandModule } from "yargs";
import type { WandbFile } from "../../track/wandb/file/file.ts";
import { JSON_OPTION, OUT_OPTION, RUN_ARGUMENT } from "../options.ts";
import { STOPPED, stopSignal } from "../signals.ts";
import { printNote, printResult } from "../terminal/print.ts";

type Arguments = {
  dir: string;
  project?: string;
  entity?: string;
  wandbFile?: boolean;
  out?: string;
  json: boolean;
};

export const syncCommand: CommandModule<object, Arguments> = {
  command: "sync <dir>",
  describe: "Send a run to W&B: all that is missing there",
  builder: (yargs) =>
    yargs
      .positional("dir", RUN_ARGUMENT)
      .option("project", { type: "string", requiresArg: true, describe: "W&B project [default: the recipe's]" })
      .option("entity", { type: "string", requiresArg: true, describe: "W&B user or team [default: the recipe's]" })
      .option("wandb-file", {
        type: "boolean",
        describe: "Send nothing: write a folder that W&B's own `wandb sync` sends, with the best checkpoint",
      })
      .option("out", { ...OUT_OPTION, describe: "Where that folder goes [default: DIR/wandb]" })
      .option("json", JSON_OPTION),
  handler: async ({ dir, project, entity, wandbFile, out, json }) => {
    if (wandbFile) {
      const { writeWandbFile } = await import("../../track/wandb/file/file.ts");
      const written = await writeWandbFile({ dir, out, project, entity });
      if (json) console.log(JSON.stringify(written));
      else printResult(writtenLine(written));
      return;
    }
    const { syncRun } = await import("../../track/wandb/sync.ts");
    const signal = stopSignal("stopping", () => {});
    const onNotice = (message: string, level: "info" | "warn") =>
      printNote(level === "warn" ? `Warning: ${message}` : message);
    try {
      const result = await syncRun(dir, { project, entity, signal, onNotice });
      if (json) console.log(JSON.stringify(result));
      else printResult(resultLine(result, dir));
    } catch (error) {
      if (!signal.aborted) throw error;
      printNote(`Stopped. What has arrived stays there. Go on with: rfdetr-train sync ${dir}`);
      process.exitCode = STOPPED;
    }
  },
};

function writtenLine({ file, folder, goesOn, steps, checkpoint }: WandbFile): string {
  if (steps === 0 && checkpoint === undefined) return `\`wandb sync\` has sent everything already, from ${folder}`;
  const wrote = `Wrote ${file}. Send it with: wandb sync ${folder}`;
  return goesOn ? `${wrote}\nIt holds what W&B lacks of the run; that takes wandb 0.31 or later.` : wrote;
}

function resultLine(
  { page, rows, sent, ended }: { page: string; rows: number; sent: number; ended: boolean },
  dir: string,
): string {
  const count = sent === 0 ? "W&B had everything already" : `Sent ${sent} rows; W&B has all ${rows}`;
  const open = ended ? "" : ` The run has not ended properly, so it is left open there: rfdetr-train resume ${dir}`;
  return `${count}: ${page}.${open}`;
}
