// `rfdetr-train data convert`: a data set of any layout that is read, written in another one.

import type { CommandModule } from "yargs";
import type { DatasetConversion } from "../../convert/convertDataset.ts";
import { DATA_OPTION, JSON_OPTION, OUT_OPTION } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { factTable, table } from "../terminal/table.ts";

type Arguments = { data: string; to: "coco" | "yolo" | "voc"; out: string; json: boolean };

const MOST_SHOWN = 20;

export const dataConvertCommand: CommandModule<object, Arguments> = {
  command: "convert",
  describe: "Write a data set of any layout that is read as COCO, YOLO or Pascal VOC",
  builder: (yargs) =>
    yargs
      .option("data", { ...DATA_OPTION, demandOption: true })
      .option("to", {
        choices: ["coco", "yolo", "voc"] as const,
        requiresArg: true,
        demandOption: true,
        describe: "The layout to write",
      })
      .option("out", { ...OUT_OPTION, demandOption: true, describe: "The folder to write, new or empty" })
      .option("json", JSON_OPTION),
  handler: async ({ data, to, out, json }) => {
    const { convertDataset } = await import("../../convert/convertDataset.ts");
    const result = await convertDataset({ dir: String(data) }, { to, out: String(out) });
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else printResult(asText(result));
  },
};

function asText({ description, out, to, classes, splits, pictures, notes, warnings }: DatasetConversion): string {
  const { linked, copied } = pictures;
  const lines = [
    ...factTable([
      ["read", description],
      ["wrote", `${out} (${to})`],
      ["classes", classes.join(", ")],
      ["pictures", `${linked} linked, ${copied} copied${linked > 0 ? ": a linked one is the same file under two names" : ""}`], // biome-ignore format: one line
    ]),
    "",
    ...table([
      ["split", "images", "boxes", "masks"],
      ...Object.entries(splits).map(([name, { images, boxes, masks }]) => [name, images, boxes, masks]),
    ]),
  ];
  for (const [title, all] of [
    ["Not kept", notes],
    ["Warnings", warnings],
  ] as const) {
    if (all.length === 0) continue;
    lines.push("", `${title}:`, ...all.slice(0, MOST_SHOWN).map((one) => `  ${one}`));
    if (all.length > MOST_SHOWN) lines.push(`  ... and ${all.length - MOST_SHOWN} more (all with --json)`);
  }
  return lines.join("\n");
}
