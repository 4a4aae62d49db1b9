// `rfdetr-train data split`: the images of a data set divided again, as lists.

import type { CommandModule } from "yargs";
import type { Division } from "../../convert/lists/divide.ts";
import { DATA_OPTION, JSON_OPTION, OUT_OPTION } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { factTable, table } from "../terminal/table.ts";

type Arguments = {
  data: string;
  val: number;
  test?: number;
  seed: number;
  group?: string;
  near: boolean;
  out: string;
  json: boolean;
};

export const dataSplitCommand: CommandModule<object, Arguments> = {
  command: "split",
  describe: "Divide a data set into train, val and test, as lists of its files; nothing is copied",
  builder: (yargs) =>
    yargs
      .option("data", { ...DATA_OPTION, demandOption: true })
      .option("val", { type: "number", requiresArg: true, default: 0.2, describe: "Share of the validation images" })
      .option("test", {
        type: "number",
        requiresArg: true,
        describe: "Share of the test images; without it a test split stays as it is",
      })
      .option("seed", { type: "number", requiresArg: true, default: 0, describe: "Another seed, another split" })
      .option("group", {
        type: "string",
        requiresArg: true,
        describe: "Regular expression on file names whose first part in brackets names what stays together",
      })
      .option("near", {
        type: "boolean",
        default: true,
        describe: "Keep near-duplicates together; --no-near does not look",
      })
      .option("out", { ...OUT_OPTION, demandOption: true, describe: "The folder of the lists" })
      .option("json", JSON_OPTION),
  handler: async ({ data: dir, out, json, val, test, seed, group, near }) => {
    const { divideDataset } = await import("../../convert/lists/divide.ts");
    const division = await divideDataset({ dir: String(dir), out: String(out), val, test, seed, group, near });
    if (json) process.stdout.write(`${JSON.stringify(division)}\n`);
    else printResult(asText(division));
  },
};

function asText(division: Division): string {
  const { description, files, data, splits, units, largest, copies, nearly, alone, listedTwice, byModel } = division;
  const images = Object.values(splits).reduce((total, one) => total + one.images, 0);
  const notes = [
    ...(largest > 1 ? [`${units} sets stay together, the largest of ${largest} images`] : []),
    ...(copies > 0 ? [`${copies} are copies of another image`] : []),
    ...(nearly > 0 ? [`${nearly} are nearly another image`] : []),
    ...(byModel > 0 ? [`${byModel} stay in train: a model labelled them, or what belongs to them`] : []),
    ...(listedTwice > 0 ? [`${listedTwice} were in several splits`] : []),
    ...(alone > 0 ? [`--group finds no group in ${alone} file names`] : []),
  ];
  const all = Object.values(splits);
  const names = Object.keys(all[0]!.boxesPerClass);
  const sum = (name: string) => all.reduce((total, one) => total + (one.boxesPerClass[name] ?? 0), 0);
  const share = (count: number, of: number) => (of === 0 ? "0" : `${count} (${((100 * count) / of).toFixed(1)} %)`);
  return [
    ...factTable([
      ["read", description],
      ...files.map((file, i) => [i === 0 ? "wrote" : "", file] as const),
      ...notes.map((note, i) => [i === 0 ? "images" : "", note] as const),
    ]),
    "",
    ...table([
      ["", ...Object.keys(splits)],
      ["images", ...all.map((one) => share(one.images, images))],
      ...names.map((name) => [name, ...all.map((one) => share(one.boxesPerClass[name] ?? 0, sum(name)))]),
    ]),
    "",
    "In a recipe:",
    ...("dir" in data ? [`  data: { dir: ${String(data.dir)} }`] : ["  data:", ...Object.entries(data).map(explicit)]),
  ].join("\n");
}

function explicit([name, { images, annotations }]: [string, { images: string; annotations: string }]): string {
  return `    ${name}: { images: ${JSON.stringify(images)}, annotations: ${JSON.stringify(annotations)} }`;
}
