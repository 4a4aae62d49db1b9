// `rfdetr-train data review`: labels that may be wrong, by what a trained detector finds, on a page to accept or reject.

import type { CommandModule } from "yargs";
import type { SplitName } from "../../data/dataset/sample.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import type { Review } from "../../review/review.ts";
import { askedSlices, OUT_OPTION, OVER_SPLIT_OPTIONS, requireCount, SPLIT_OPTION, WEIGHTS_OPTION } from "../options.ts";
import { countView, ofImages } from "../terminal/countView.ts";
import { downloadView } from "../terminal/downloadView.ts";
import { printNote, printResult } from "../terminal/print.ts";
import { factTable, table } from "../terminal/table.ts";
import { DATA_SOURCE_OPTIONS, type GivenSource, sourceOf, sourceWords } from "./source.ts";

type Arguments = GivenSource & {
  weights: string;
  split: string;
  out: string;
  most: number;
  batchSize: number;
  slices?: string | boolean;
  device: string;
  precision: string;
  json: boolean;
};

export const dataReviewCommand: CommandModule<object, Arguments> = {
  command: "review",
  describe: "Find labels that may be wrong with a trained detector, and write a page to accept or reject them",
  builder: (yargs) =>
    yargs
      .option("weights", { ...WEIGHTS_OPTION, demandOption: true })
      .options(DATA_SOURCE_OPTIONS)
      .option("split", { ...SPLIT_OPTION, default: "train", choices: ["train", "val", "test", "all"] })
      .option("out", { ...OUT_OPTION, default: "review", describe: "The folder of the page and of suspects.json" })
      .option("most", {
        type: "number",
        requiresArg: true,
        default: 500,
        describe: "Suspects on the page, the first ones; suspects.json has all",
      })
      .options(OVER_SPLIT_OPTIONS) as never,
  handler: async (args) => {
    const { weights, split, out, most, batchSize, json } = args;
    requireCount("most", most);
    requireCount("batch-size", batchSize);
    const { data, recipe } = await sourceOf("review", args);
    const { reviewLabels } = await import("../../review/review.ts");
    const download = downloadView(process.stderr, weights);
    const view = countView(process.stderr, { amount: ofImages, plain: "tenths" });
    try {
      const review = await reviewLabels({
        ...{ weights, data, out, most, batchSize, recipe },
        splits: split === "all" ? ["train", "val", "test"] : [split as SplitName],
        slices: askedSlices(args.slices),
        device: args.device as DeviceChoice,
        precision: args.precision as "none" | "bf16",
        command: correctCommand(args),
        onDownload: download,
        onWarning: printNote,
        onImages: (done, all) => view.update("", done, all),
      });
      view.stop();
      if (json) process.stdout.write(`${JSON.stringify(review)}\n`);
      else printResult(asText(review, correctCommand(args)));
    } finally {
      download.stop();
      view.stop();
    }
  },
};

function correctCommand(args: GivenSource): string {
  return `rfdetr-train data correct ${sourceWords(args)} --decisions decisions.json --out CORRECTED`;
}

function asText(
  { weights, description, device, images, labels, suspects, record, page, shown }: Review,
  command: string,
): string {
  // biome-ignore format: one line
  const all = Object.values(suspects).reduce((sum, count) => sum + count, 0);
  return [
    ...factTable([
      ["weights", weights],
      ["data", `${description}: ${images} images, ${labels} labels reviewed`],
      ["device", device],
    ]),
    "",
    ...table([
      ["suspects", all],
      ["missing", suspects.missing],
      ["wrong class", suspects.class],
      ["badly placed", suspects.place],
      ["double", suspects.double],
    ]),
    "",
    `Everything is in ${record}; the page has ${shown === all ? "all" : `the first ${shown}`}.`,
    "What next?",
    `  Open ${page} in a browser, accept or reject, and download the decisions`,
    `  ${command}`,
  ].join("\n");
}
