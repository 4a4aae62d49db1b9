// `benchmark`: how long a model takes from image files to detections, by stage, alone or against another, and its AP.

import type { CommandModule } from "yargs";
import type { Benchmark } from "../../bench/result.ts";
import type { SplitName } from "../../data/dataset/sample.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import {
  askedSlices,
  DATA_OPTION,
  DEVICE_OPTION,
  IMAGES_OPTION,
  JSON_OPTION,
  MODEL_RECIPE_OPTION,
  OUT_OPTION,
  PRECISION_OPTION,
  requireOnce,
  SLICES_OPTION,
  SPLIT_OPTION,
  WEIGHTS_OPTION,
} from "../options.ts";
import { countView } from "../terminal/countView.ts";
import { downloadView } from "../terminal/downloadView.ts";
import { printResult } from "../terminal/print.ts";

type Arguments = {
  weights: string;
  against?: string;
  images?: string[];
  data?: string;
  split: string;
  batchSize: number[];
  threads?: number[];
  prefetch: string;
  rounds: number;
  warmUp: number;
  resolution?: number;
  slices?: string | boolean;
  device: string;
  precision: string;
  maxDets?: number;
  recipe?: string;
  seed: number;
  out?: string;
  json: boolean;
};

export const benchmarkCommand: CommandModule<object, Arguments> = {
  command: "benchmark",
  describe: "Latency from image files to detections, by stage; of one model, or of two that take turns",
  builder: (yargs) =>
    yargs
      .option("weights", { ...WEIGHTS_OPTION, demandOption: true })
      .option("against", { ...WEIGHTS_OPTION, describe: "Another one, to take turns with" })
      .option("images", {
        ...IMAGES_OPTION,
        describe: `${IMAGES_OPTION.describe} [those of --data, else pictures of this package]`,
      })
      .option("data", { ...DATA_OPTION, describe: `${DATA_OPTION.describe}, to measure AP on as well` })
      .option("split", SPLIT_OPTION)
      .option("batch-size", {
        type: "number",
        array: true,
        requiresArg: true,
        default: [1],
        describe: "Images a forward pass; several numbers are measured one after the other",
      })
      .option("threads", {
        type: "number",
        array: true,
        requiresArg: true,
        describe: "Threads of the model; of .onnx files several numbers [all cores]",
      })
      .option("prefetch", {
        choices: ["both", "on", "off"],
        requiresArg: true,
        default: "both",
        describe: "Have another thread prepare the next images while the model computes",
      })
      .option("rounds", { type: "number", requiresArg: true, default: 30, describe: "Batches that count" })
      .option("warm-up", { type: "number", requiresArg: true, default: 5, describe: "Batches before them" })
      .option("resolution", { type: "number", requiresArg: true, describe: "Side of the images [the model's own]" })
      .option("slices", SLICES_OPTION)
      .option("device", { ...DEVICE_OPTION, describe: `${DEVICE_OPTION.describe}; .onnx files run on the CPU` })
      .option("precision", PRECISION_OPTION)
      .option("max-dets", { type: "number", requiresArg: true, describe: "Detections that count for AP [500]" })
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("seed", { type: "number", requiresArg: true, default: 0, describe: "Of the confidence interval" })
      .option("out", { ...OUT_OPTION, describe: "A file to write the result to, as JSON" })
      .option("json", JSON_OPTION) as never,
  handler: async (args) => {
    requireOnce(args, { lists: ["images", "batchSize", "batch-size", "threads"] });
    const result = await run(args);
    const json = JSON.stringify(result, null, 2);
    if (args.out !== undefined) {
      const { writeFileAtomic } = await import("../../util/files.ts");
      await writeFileAtomic(args.out, `${json}\n`);
    }
    const { benchmarkTable } = await import("../terminal/benchmarkTable.ts");
    if (args.json) process.stdout.write(`${json}\n`);
    else printResult(benchmarkTable(result));
  },
};

async function run(args: Arguments): Promise<Benchmark> {
  const { benchmark } = await import("../../bench/benchmark.ts");
  const { weights, against, images, data, threads, rounds, warmUp, resolution, maxDets, seed } = args;
  const recipe = args.recipe ? await (await import("../../recipe/load.ts")).loadRecipe(args.recipe) : undefined;
  const download = downloadView(process.stderr, weights);
  const view = countView(process.stderr, { plain: "each" });
  try {
    return await benchmark({
      ...{ weights, against, images, data, threads, rounds, warmUp, resolution, maxDets, seed, recipe },
      split: args.split as SplitName,
      batchSizes: args.batchSize,
      slices: askedSlices(args.slices),
      prefetch: { both: [false, true], on: [true], off: [false] }[args.prefetch]!,
      device: args.device as DeviceChoice,
      precision: args.precision as "none" | "bf16",
      onDownload: download,
      onProgress: view.update,
    });
  } finally {
    download.stop();
    view.stop();
  }
}
