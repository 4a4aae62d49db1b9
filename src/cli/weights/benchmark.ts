// `benchmark`: how long a model takes from image files to detections, by stage, alone or against another, and its AP.

import type { CommandModule } from "yargs";
import type { Benchmark } from "../../bench/result.ts";
import type { SplitName } from "../../data/dataset/sample.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import { JSON_OPTION, MODEL_RECIPE_OPTION, requireOnce, SPLIT_OPTION } from "../options.ts";

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
  device: string;
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
      .option("weights", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "A run, a checkpoint, a weights file, an .onnx file, or a published name",
      })
      .option("against", { type: "string", requiresArg: true, describe: "Another one, to take turns with" })
      .option("images", {
        type: "string",
        array: true,
        requiresArg: true,
        describe: "Image files, folders or patterns [those of --data, else pictures of this package]",
      })
      .option("data", { type: "string", requiresArg: true, describe: "Folder of a data set, to measure AP on as well" })
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
      .option("device", {
        choices: ["auto", "cpu", "gpu"],
        requiresArg: true,
        default: "auto",
        describe: "Where weights are computed; .onnx files run on the CPU",
      })
      .option("max-dets", { type: "number", requiresArg: true, describe: "Detections that count for AP [500]" })
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("seed", { type: "number", requiresArg: true, default: 0, describe: "Of the confidence interval" })
      .option("out", { type: "string", requiresArg: true, describe: "A file to write the result to, as JSON" })
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
    process.stdout.write(`${args.json ? json : benchmarkTable(result)}\n`);
  },
};

async function run(args: Arguments): Promise<Benchmark> {
  const [{ benchmark }, { downloadView }] = await Promise.all([
    import("../../bench/benchmark.ts"),
    import("../terminal/downloadView.ts"),
  ]);
  const { weights, against, images, data, threads, rounds, warmUp, resolution, maxDets, seed } = args;
  const recipe = args.recipe ? await (await import("../../recipe/load.ts")).loadRecipe(args.recipe) : undefined;
  const download = downloadView(process.stderr, weights);
  const view = progress();
  try {
    return await benchmark({
      ...{ weights, against, images, data, threads, rounds, warmUp, resolution, maxDets, seed, recipe },
      split: args.split as SplitName,
      batchSizes: args.batchSize,
      prefetch: { both: [false, true], on: [true], off: [false] }[args.prefetch]!,
      device: args.device as DeviceChoice,
      onDownload: download,
      onProgress: view.update,
    });
  } finally {
    download.stop();
    view.stop();
  }
}

/** A counter on stderr that stays on its line in a terminal; elsewhere a line for each thing that is measured. */
function progress() {
  const { stderr } = process;
  let last = "";
  return {
    update: (what: string, done: number, all: number) => {
      if (stderr.isTTY) stderr.write(`\r\u001b[K${what}: ${done} of ${all}`);
      else if (what !== last) stderr.write(`${what}\n`);
      last = what;
    },
    stop: () => void (stderr.isTTY && stderr.write("\r\u001b[K")),
  };
}
