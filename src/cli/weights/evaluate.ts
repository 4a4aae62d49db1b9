// `evaluate`: COCO metrics of weights on a data set, or of a results file that any program wrote.

import type { CommandModule } from "yargs";
import type { SplitName } from "../../data/dataset/sample.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import type { AtPoint, Measurement } from "../../eval/measure.ts";
import { measuredSummary } from "../../instance/metrics.ts";
import { describeConfirmation, f1Of } from "../../instance/operating/confirm.ts";
import { describeExpected } from "../../instance/operating/point.ts";
import { describeScores } from "../../instance/operating/words.ts";
import { UserError } from "../../util/errors.ts";
import {
  askedSlices,
  DATA_OPTION,
  MODEL_RECIPE_OPTION,
  OVER_SPLIT_OPTIONS,
  requireCount,
  SPLIT_OPTION,
  WEIGHTS_OPTION,
} from "../options.ts";
import { countView, ofImages } from "../terminal/countView.ts";
import { downloadView } from "../terminal/downloadView.ts";
import { printNote, printResult } from "../terminal/print.ts";
import { scoreText, table } from "../terminal/table.ts";

type Arguments = {
  weights?: string;
  data?: string;
  split: string;
  recipe?: string;
  predictions?: string;
  annotations?: string;
  maxDets?: number;
  batchSize: number;
  slices?: string | boolean;
  device: string;
  precision: string;
  json: boolean;
};

export const evaluateCommand: CommandModule<object, Arguments> = {
  command: "evaluate",
  describe: "COCO metrics of weights on a data set, or of a results file",
  builder: (yargs) =>
    yargs
      .option("weights", WEIGHTS_OPTION)
      .option("data", DATA_OPTION)
      .option("split", SPLIT_OPTION)
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("predictions", { type: "string", requiresArg: true, describe: "COCO results file" })
      .option("annotations", { type: "string", requiresArg: true, describe: "COCO annotation file" })
      .option("max-dets", {
        type: "number",
        requiresArg: true,
        describe: "Detections that count, an image and class [100; with --weights 500, or as many as the model gives]",
      })
      .options(OVER_SPLIT_OPTIONS) as never,
  handler: async (args) => {
    const report = await measure(args);
    const { metricsOf } = await import("../../eval/metricsRow.ts");
    const operating_point = report.atPoint && pointOf(report.atPoint);
    const result = { ...report.about, ...metricsOf(report), ...(operating_point && { operating_point }) };
    if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else printResult(asText(report));
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
  const [{ evaluate }, { loadRecipe }] = await Promise.all([
    import("../../eval/measure.ts"),
    import("../../recipe/load.ts"),
  ]);
  const download = downloadView(process.stderr, weights);
  const view = countView(process.stderr, { amount: ofImages, plain: "none" });
  try {
    return await evaluate({
      weights,
      data,
      split: args.split as SplitName,
      batchSize,
      slices: askedSlices(args.slices),
      device: args.device as DeviceChoice,
      precision: args.precision as "none" | "bf16",
      ...(args.recipe && { recipe: await loadRecipe(args.recipe) }),
      ...(maxDets && { maxDets }),
      onDownload: download,
      onWarning: printNote,
      onImages: (done, all) => view.update("", done, all),
    });
  } finally {
    download.stop();
    view.stop();
  }
}

function missing(option: string): UserError {
  return new UserError(`evaluate needs ${option}.`, {
    hint: "evaluate --weights W --data DIR, or evaluate --predictions RESULTS.json --annotations GT.json",
  });
}

/** What came of the stored operating point, for programs. */
function pointOf({ point, confirmation, precision, recall }: AtPoint) {
  const own = point.classes.filter(({ threshold }) => threshold !== null);
  return {
    ...{ threshold: point.threshold, thresholds: Object.fromEntries(own.map((one) => [one.name, one.threshold])) },
    ...{ precision, recall, images: point.images },
    promised: { precision: point.precision, recall: point.recall },
    ...(confirmation && { confirmation }),
  };
}

function asText({ metrics, perClass, f1, atPoint, facts }: Measurement): string {
  const { threshold, precision, recall } = f1;
  const summary = measuredSummary(perClass);
  const at = `(score >= ${threshold.toFixed(2)}: precision ${precision.toFixed(4)}, recall ${recall.toFixed(4)})`;
  return [
    ...facts,
    "",
    ...table(
      [
        ...Object.entries(metrics).map(([name, value]) => [name, scoreText(value)]),
        ["F1", scoreText(f1.f1), at],
        ...(atPoint ? [["stored point", scoreText(f1Of(atPoint) ?? undefined), storedPoint(atPoint)]] : []),
      ],
      {
        align: ["left", "right", "left"],
        least: [7, 7],
      },
    ),
    ...(atPoint ? ["", ...promise(atPoint)] : []),
    "",
    ...table([
      ["class", ...summary, "boxes"],
      ...perClass.map((one) => [one.name, ...summary.map((name) => scoreText(one[name])), one.annotations]),
    ]),
  ].join("\n");
}

/** F1 there is of all boxes together, that above is the mean of the classes. */
function storedPoint({ point, precision, recall }: AtPoint): string {
  const share = (value: number | null) => scoreText(value ?? undefined);
  return `(${describeScores(point)}: precision ${share(precision)}, recall ${share(recall)} of all boxes)`;
}

/** On test whether it was kept, else what it is. */
function promise({ point, confirmation }: AtPoint): string[] {
  if (confirmation) return describeConfirmation(confirmation).map((text) => `${text}.`);
  const expected = describeExpected(point);
  return expected === ""
    ? []
    : [`Promised by validation of ${point.images} other images: ${expected} (95 % intervals).`];
}
