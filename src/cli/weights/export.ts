// `export`: weights as an ONNX file, verified against the trainer's own forward on real images.

import { dirname, join } from "node:path";
import type { CommandModule } from "yargs";
import type { SplitName } from "../../data/dataset/sample.ts";
import type { ExportResult } from "../../export/exportOnnx.ts";
import type { ExportOptions } from "../../export/options.ts";
import { MAIN_METRIC, MASK_METRIC } from "../../instance/metrics.ts";
import { UserError } from "../../util/errors.ts";
import {
  DATA_OPTION,
  JSON_OPTION,
  MODEL_RECIPE_OPTION,
  OUT_OPTION,
  requireOnce,
  SPLIT_OPTION,
  WEIGHTS_OPTION,
} from "../options.ts";
import { STOPPED, stopSignal } from "../signals.ts";
import { countView, ofImages } from "../terminal/countView.ts";
import { downloadView } from "../terminal/downloadView.ts";
import { printNote, printResult } from "../terminal/print.ts";
import { factTable } from "../terminal/table.ts";

type Arguments = {
  weights: string;
  out: string;
  opset: number;
  batch: string;
  resolution?: number;
  decode: boolean;
  optimize: boolean;
  precision: string;
  data?: string;
  split: string;
  images: number;
  recipe?: string;
  json: boolean;
};

export const exportCommand: CommandModule<object, Arguments> = {
  command: "export",
  describe: "Weights as an ONNX file, verified on real images",
  builder: (yargs) =>
    yargs
      .option("weights", {
        ...WEIGHTS_OPTION,
        demandOption: true,
        describe: "A run, a checkpoint, a weights file, or a published name",
      })
      .option("out", { ...OUT_OPTION, default: "model.onnx", describe: "File to write" })
      .option("decode", {
        type: "boolean",
        default: false,
        describe: "Put sigmoid, top-k, boxes in pixels and masks of pixels into the file",
      })
      .option("optimize", {
        type: "boolean",
        default: false,
        describe: "Also a file of onnxruntime's own operations, OUT.optimized.onnx",
      })
      .option("precision", {
        type: "string",
        requiresArg: true,
        default: "fp32",
        choices: ["fp32", "fp16", "int8"],
        describe: "Also a file of fewer bits, OUT.fp16.onnx (GPU, WebGPU) or OUT.int8.onnx (CPU)",
      })
      .option("opset", {
        type: "number",
        requiresArg: true,
        default: 18,
        choices: [17, 18],
        describe: "ONNX operations",
      })
      .option("batch", {
        type: "string",
        requiresArg: true,
        default: "dynamic",
        describe: "Images a run: dynamic, or a number",
      })
      .option("resolution", {
        type: "number",
        requiresArg: true,
        describe: "Side of the input, if not the model's own",
      })
      .option("data", { ...DATA_OPTION, describe: `${DATA_OPTION.describe}, to verify on [the run's own]` })
      .option("split", SPLIT_OPTION)
      .option("images", { type: "number", requiresArg: true, default: 16, describe: "Images to verify on, at most" })
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("json", JSON_OPTION) as never,
  handler: async (args) => {
    requireOnce(args);
    const result = await run(args);
    if (result === undefined) return;
    for (const warning of result.warnings) printNote(`Warning: ${warning}`);
    if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else printResult(asText(result, dirname(args.out)));
  },
};

/** Undefined where a signal stopped it. */
async function run(args: Arguments): Promise<ExportResult | undefined> {
  const { weights, out, opset, batch, resolution, decode, optimize, precision, data, split, images } = args;
  const number = Number(batch);
  if (batch !== "dynamic" && !(Number.isInteger(number) && number >= 1))
    throw new UserError(`--batch is ${batch}; it must be dynamic or a whole number from 1.`);
  const { exportOnnx } = await import("../../export/exportOnnx.ts");
  const recipe = args.recipe ? await (await import("../../recipe/load.ts")).loadRecipe(args.recipe) : undefined;
  const download = downloadView(process.stderr, weights);
  const view = countView(process.stderr, {
    amount: (done, all) => (all === undefined ? "" : ofImages(done, all)),
    plain: "none",
  });
  const signal = stopSignal("stopping after this image", printNote);
  try {
    return await exportOnnx({
      ...{ weights, out, decode, optimize, data, images, resolution, recipe, signal },
      precision: precision as ExportOptions["precision"],
      opset: opset as 17 | 18,
      batch: batch === "dynamic" ? batch : number,
      split: split as SplitName,
      onDownload: download,
      onProgress: (what, done, all) => view.update(what, done, all > 1 ? all : undefined),
    });
  } catch (error) {
    if (error !== signal.reason) throw error;
    process.exitCode = STOPPED;
    return undefined;
  } finally {
    download.stop();
    view.stop();
  }
}

/** What was written, file by file. */
function asText(
  { files, record, seconds }: Pick<ExportResult, "files" | "record" | "seconds">,
  folder: string,
): string {
  const lines = files.flatMap((written) => {
    const { file, kind, bytes, operations, opset } = written;
    const facts = [`${(bytes / 1e6).toFixed(1)} MB`, `${operations} operations`, `opset ${opset}`];
    const rows = factTable(factsOf(written), { least: [10] }).map((line) => `  ${line}`);
    return [`${join(folder, file)}  ${kind}: ${facts.join(", ")}`, ...rows];
  });
  return [...lines, `Written down in ${record} (${seconds.toFixed(1)} s)`].join("\n");
}

function factsOf({ outputs, calibration, thresholds, verified, latency_ms: latency }: ExportResult["files"][number]) {
  const rows: [string, string][] = [];
  if (calibration) rows.push(["calibrated", `on ${calibration.images} images of ${calibration.on}`]);
  if (calibration === null) rows.push(["calibrated", "not: no training images; ranges are found as the model runs"]);
  if (verified) {
    const { on, images, difference, near_ties: ties } = verified;
    rows.push(["verified", `on ${images} image${images === 1 ? "" : "s"} of ${on}`]);
    if (difference) {
      const { boxes, logits, masks } = difference;
      const ranked = ties > 0 ? `; ${ties} left out, whose proposals score too nearly alike` : "";
      const scores = outputs === "raw" ? "logits" : "scores";
      const ofMasks = masks === undefined ? "" : `, masks ${masks.toExponential(1)}`;
      const text = `boxes ${boxes.toExponential(1)}, ${scores} ${logits.toExponential(1)}${ofMasks} at most${ranked}`;
      rows.push(["difference", text]);
    }
    for (const metric of [MAIN_METRIC, MASK_METRIC] as const) {
      const ap = verified[metric];
      if (ap) rows.push([metric, `${ap.file.toFixed(4)}, the trainer's ${ap.trainer.toFixed(4)}`]);
    }
  }
  if (thresholds) {
    const { on, images, threshold, weights } = thresholds;
    const own = `${threshold.toFixed(2)} for all classes (its weights' ${weights.toFixed(2)})`;
    rows.push(["thresholds", `of its own, ${own}, chosen on ${images} images of ${on}`]);
  }
  if (latency) {
    const threads = `${latency.threads} thread${latency.threads === 1 ? "" : "s"}`;
    rows.push(["latency", `${latency.p50.toFixed(1)} ms an image (median of ${latency.runs}, ${threads})`]);
  }
  return rows;
}
