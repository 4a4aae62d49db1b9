// `evaluate`: COCO metrics of weights on a data set, or of a results file that any program wrote.

import type { CommandModule } from "yargs";
import type { SplitName } from "../../data/dataset/sample.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import type { Measurement } from "../../eval/measure.ts";
import { SUMMARY } from "../../instance/metrics.ts";
import { UserError } from "../../util/errors.ts";
import { DEVICE_OPTION, JSON_OPTION, MODEL_RECIPE_OPTION, requireCount, SPLIT_OPTION } from "../options.ts";

type Arguments = {
  weights?: string;
  data?: string;
  split: string;
  recipe?: string;
  predictions?: string;
  annotations?: string;
  maxDets?: number;
  batchSize: number;
  device: string;
  json: boolean;
};

export const evaluateCommand: CommandModule<object, Arguments> = {
  command: "evaluate",
  describe: "COCO metrics of weights on a data set, or of a results file",
  builder: (yargs) =>
    yargs
      .option("weights", {
        type: "string",
        requiresArg: true,
        describe: "Run, checkpoint, weights or .onnx file, or published name",
      })
      .option("data", { type: "string", requiresArg: true, describe: "Folder of the data set" })
      .option("split", SPLIT_OPTION)
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("predictions", { type: "string", requiresArg: true, describe: "COCO results file" })
      .option("annotations", { type: "string", requiresArg: true, describe: "COCO annotation file" })
      .option("max-dets", {
        type: "number",
        requiresArg: true,
        describe: "Detections that count, an image and class [100; with --weights 500]",
      })
      .option("batch-size", { type: "number", default: 4, requiresArg: true, describe: "Images at a time" })
      .option("device", DEVICE_OPTION)
      .option("json", JSON_OPTION) as never,
  handler: async (args) => {
    const report = await measure(args);
    const { metricsOf } = await import("../../eval/metricsRow.ts");
    const result = { ...report.about, ...metricsOf(report) };
    process.stdout.write(`${args.json ? JSON.stringify(result) : table(report)}\n`);
  },
};

async function measure(args: Arguments): Promise<Measurement> {
  const { weights, data, predictions, annotations, maxDets, batchSize } = args;
  requireCount("max-dets", maxDets);
  requireCount("batch-size", batchSize);
  const fromFile = predictions !== undefined || annotations !== undefined;
  if (fromFile && (weights !== undefined || data !== undefined)) {
    throw new UserError("evaluate takes either --weights and --data or --predictions and --annotations, not both.");
  }
  if (fromFile) {
    if (!predictions || !annotations) throw missing(predictions ? "--annotations" : "--predictions");
    const { evaluateResults } = await import("../../eval/measure.ts");
    return evaluateResults({ predictions, annotations, ...(maxDets && { maxDets }) });
  }
  if (!weights || !data) throw missing(weights ? "--data" : data ? "--weights" : "--weights and --data");
  const [{ evaluate }, { loadRecipe }, { downloadView }] = await Promise.all([
    import("../../eval/measure.ts"),
    import("../../recipe/load.ts"),
    import("../terminal/downloadView.ts"),
  ]);
  const download = downloadView(process.stderr, weights);
  const show = process.stderr.isTTY && !args.json;
  const measured = await evaluate({
    weights,
    data,
    split: args.split as SplitName,
    batchSize,
    device: args.device as DeviceChoice,
    ...(args.recipe && { recipe: await loadRecipe(args.recipe) }),
    ...(maxDets && { maxDets }),
    onDownload: download,
    onWarning: (message) => process.stderr.write(`${message}\n`),
    onImages: (done, all) => show && process.stderr.write(`\r${done} of ${all} images${done === all ? "\n" : ""}`),
  });
  download.stop();
  return measured;
}

function missing(option: string): UserError {
  return new UserError(`evaluate needs ${option}.`, {
    hint: "evaluate --weights W --data DIR, or evaluate --predictions RESULTS.json --annotations GT.json",
  });
}

function table({ metrics, perClass, f1, facts }: Measurement): string {
  const show = (value: number | undefined, to = 9) =>
    (value === undefined || value < 0 ? "-" : value.toFixed(4)).padStart(to);
  const width = Math.max(9, ...Object.keys(metrics).map(({ length }) => length + 2));
  const nameWidth = Math.max(7, ...perClass.map(({ name }) => name.length + 2));
  const columns = SUMMARY.map((name) => ({ name, to: Math.max(9, name.length + 2) }));
  return [
    ...facts,
    "",
    ...Object.entries(metrics).map(([name, value]) => name.padEnd(width) + show(value)),
    `${"F1".padEnd(width)}${show(f1.f1)}  (score >= ${f1.threshold.toFixed(2)}: precision ${f1.precision.toFixed(4)}, recall ${f1.recall.toFixed(4)})`,
    "",
    `${"class".padEnd(nameWidth)}${columns.map(({ name, to }) => name.padStart(to)).join("")}${"boxes".padStart(8)}`,
    ...perClass.map(
      (one) =>
        one.name.padEnd(nameWidth) +
        columns.map(({ name, to }) => show(one[name], to)).join("") +
        String(one.annotations).padStart(8),
    ),
  ].join("\n");
}
