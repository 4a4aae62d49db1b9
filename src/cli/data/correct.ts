// `rfdetr-train data correct`: a corrected copy of a data set, by what a person decided on the page of `data review`.

import type { CommandModule } from "yargs";
import type { Correction } from "../../review/correct.ts";
import { UserError } from "../../util/errors.ts";
import { JSON_OPTION, OUT_OPTION } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { factTable } from "../terminal/table.ts";
import { DATA_SOURCE_OPTIONS, type GivenSource, sourceOf } from "./source.ts";

type Arguments = GivenSource & { decisions: string; out: string; acceptAbove?: number; json: boolean };

export const dataCorrectCommand: CommandModule<object, Arguments> = {
  command: "correct",
  describe: "Write a corrected copy of a data set by the decisions of data review; the data set stays as it is",
  builder: (yargs) =>
    yargs
      .options(DATA_SOURCE_OPTIONS)
      .option("decisions", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "What the page downloaded, or suspects.json",
      })
      .option("accept-above", {
        type: "number",
        requiresArg: true,
        describe: "Accept also what nobody has decided on and scores so much or more",
      })
      .option("out", { ...OUT_OPTION, demandOption: true, describe: "The folder to write, new or empty" })
      .option("json", JSON_OPTION) as never,
  handler: async (args) => {
    const { decisions, out, acceptAbove, json } = args;
    if (acceptAbove !== undefined && !(acceptAbove >= 0 && acceptAbove <= 1))
      throw new UserError(`--accept-above is ${acceptAbove}; it must be a score from 0 to 1.`);
    const { data } = await sourceOf("correct", args);
    const { correctLabels } = await import("../../review/correct.ts");
    const correction = await correctLabels({ data, decisions: String(decisions), out: String(out), acceptAbove });
    if (json) process.stdout.write(`${JSON.stringify(correction)}\n`);
    else printResult(asText(correction));
  },
};

function asText({ description, out, to, accepted, rejected, open, pictures, notes, corrections }: Correction): string {
  const { missing, class: otherClass, place, double } = accepted;
  return [
    ...factTable([
      ["read", description],
      ["wrote", `${out} (${to})`],
      ["corrected", `${missing} added, ${otherClass} of another class, ${place} moved, ${double} removed`],
      ["left", `${rejected} rejected, ${open} undecided`],
      ["pictures", `${pictures.linked} linked, ${pictures.copied} copied`],
      ["which", corrections],
    ]),
    ...notes.map((note) => `  ${note}`),
  ].join("\n");
}
