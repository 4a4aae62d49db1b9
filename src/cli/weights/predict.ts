// `predict`: objects in pictures, as a COCO results file and as pictures with boxes drawn.

import type { CommandModule } from "yargs";
import { FRAMES_HINT, isVideo } from "../../data/image/video.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import type { PredictReport, PredictToFolderOptions } from "../../eval/predict/predictToFolder.ts";
import { describeExpected, describeRule } from "../../instance/operating/point.ts";
import { describeSlices } from "../../instance/slices/layout.ts";
import { UserError } from "../../util/errors.ts";
import {
  askedSlices,
  DEVICE_OPTION,
  IMAGES_OPTION,
  JSON_OPTION,
  MODEL_RECIPE_OPTION,
  OUT_OPTION,
  PRECISION_OPTION,
  requireOnce,
  SLICES_OPTION,
  WEIGHTS_OPTION,
} from "../options.ts";
import { STOPPED, stopSignal } from "../signals.ts";
import { countView, ofImages } from "../terminal/countView.ts";
import { downloadView } from "../terminal/downloadView.ts";
import { printNote, printResult } from "../terminal/print.ts";
import { table } from "../terminal/table.ts";

type Arguments = {
  weights: string;
  images: string[];
  out?: string;
  threshold: string;
  classes?: string[];
  maxDets?: number;
  batchSize: number;
  slices?: string | boolean;
  device: string;
  precision: string;
  recipe?: string;
  pictures: boolean;
  labels?: string | boolean;
  saveCrops: boolean;
  json: boolean;
};

const CHOSEN: Record<PredictReport["threshold_from"], string> = {
  given: "as given",
  run: "the best F1 of the run's own evaluation",
  default: "as nothing is recorded with these weights",
};
const MOST_SHOWN = 20;
const MOST_CLASSES = 8;
const MOST_FILES = 5;

export const predictCommand: CommandModule<object, Arguments> = {
  command: "predict",
  describe: "Detect objects in images: COCO results and pictures with boxes",
  builder: (yargs) =>
    yargs
      .option("weights", { ...WEIGHTS_OPTION, demandOption: true })
      .option("images", {
        ...IMAGES_OPTION,
        demandOption: true,
        describe: `${IMAGES_OPTION.describe}; addresses; - for an image on standard input`,
      })
      .option("out", {
        ...OUT_OPTION,
        describe: "Folder for predictions.json and the pictures [default: a new one, predictions, predictions-2, ...]",
      })
      .option("threshold", {
        type: "string",
        requiresArg: true,
        default: "auto",
        describe: "Leave out what scores no more than this; auto: what the run found best (else 0.5)",
      })
      .option("classes", {
        type: "string",
        array: true,
        requiresArg: true,
        describe: "Names of the classes to look for, as a,b or apart [default: all]",
      })
      .option("max-dets", { type: "number", requiresArg: true, describe: "Most detections an image" })
      .option("batch-size", { type: "number", requiresArg: true, default: 4, describe: "Images a forward pass" })
      .option("slices", SLICES_OPTION)
      .option("device", DEVICE_OPTION)
      .option("precision", PRECISION_OPTION)
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("pictures", { type: "boolean", default: true, describe: "Write pictures; --no-pictures leaves them out" })
      .option("labels", {
        type: "string",
        describe:
          "Write what was found to labels/: coco, yolo or voc, a data set with its pictures linked, marked as made by a model; without a value label files of YOLO alone",
      })
      .option("save-crops", {
        type: "boolean",
        default: false,
        describe: "Write a picture of each object to crops/, in a folder for each class",
      })
      .option("json", JSON_OPTION) as never,
  handler: async (args) => {
    requireOnce(args, { lists: ["images", "classes"] });
    const report = await run(args);
    if (args.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printResult(asText(report));
    if (report.failed.length > 0 && !process.exitCode) process.exitCode = 2;
  },
};

async function run({ pictures, labels, saveCrops: crops, ...args }: Arguments): Promise<PredictReport> {
  const [{ predictToFolder }, { thresholdsByName }] = await Promise.all([
    import("../../eval/predict/predictToFolder.ts"),
    import("../../eval/predict/threshold.ts"),
  ]);
  const { weights, images, out, classes, maxDets, batchSize } = args;
  const threshold = args.threshold === "auto" ? "auto" : Number(args.threshold);
  if (Number.isNaN(threshold))
    throw new UserError(`--threshold is "${args.threshold}"; it must be auto, or a number from 0 to 1.`);
  const input = images.includes("-") ? process.stdin : undefined;
  if (input?.isTTY)
    throw new UserError("--images - reads an image from standard input, which is the terminal here.", {
      hint: "Pipe one into it: cat photo.jpg | rfdetr-train predict --images - ...",
    });
  const recipe = args.recipe ? await (await import("../../recipe/load.ts")).loadRecipe(args.recipe) : undefined;
  const view = countView(process.stderr, { amount: ofImages, plain: "seconds" });
  const download = downloadView(process.stderr, weights);
  const signal = stopSignal("stopping after these images", printNote);
  try {
    const report = await predictToFolder({
      ...{
        weights,
        images,
        out,
        threshold,
        classes,
        maxDets,
        batchSize,
        pictures,
        labels: askedLabels(labels),
        crops,
        recipe,
        signal,
        input,
      },
      slices: askedSlices(args.slices),
      device: args.device as DeviceChoice,
      precision: args.precision as "none" | "bf16",
      onStart: ({ model, device, threshold }) => {
        printNote(`Weights: ${model.source}`);
        const { operatingPoint: point } = model;
        const chosen = threshold.from === "run" && point ? describeRule(point) : CHOSEN[threshold.from];
        printNote(`Threshold: ${short(threshold.value)}, ${chosen}`);
        const own = Object.entries(thresholdsByName(threshold, model.classes)).map(
          ([name, value]) => `${name} ${short(value)}`,
        );
        if (own.length > 0) printNote(`Of their own: ${listed(own)}`);
        const expected = threshold.from === "run" && point ? describeExpected(point) : "";
        if (expected !== "") printNote(`To expect: ${expected}, of pictures like those of validation`);
        if (model.slices) printNote(`Slices: ${describeSlices(model.slices)}, and whole pictures`);
        printNote(`Device: ${device.kind === "gpu" ? "GPU" : "CPU"} (${device.name})`);
        if (device.warning) printNote(`Warning: ${device.warning}`);
      },
      onFailed: printNote,
      onImages: (done, all) => view.update("", done, all),
      onDownload: download,
    });
    if (report.undone > 0) process.exitCode = STOPPED;
    return report;
  } finally {
    download.stop();
    view.stop();
  }
}

/** What --labels asks for. Throws a UserError for no layout that is written. */
function askedLabels(given: string | boolean | undefined): NonNullable<PredictToFolderOptions["labels"]> {
  if (given === undefined || given === false) return false;
  if (given === true || given === "") return true;
  if (given === "coco" || given === "yolo" || given === "voc") return given;
  throw new UserError(`--labels is "${given}"; it must be coco, yolo or voc, or without a value.`);
}

function asText(report: PredictReport): string {
  const { images, failed, skipped, undone, predictions, threshold, below, seconds } = report;
  const shown = images.slice(0, MOST_SHOWN);
  const rows = shown.map(({ file_name, width, height, detections }) => [
    file_name,
    `${width}x${height}`,
    counts(detections) || "nothing found",
  ]);
  const lines = table(rows, { align: ["left"], least: [0, 11] });
  if (images.length > shown.length) lines.push(`... and ${images.length - shown.length} more images`);
  const all = images.flatMap(({ detections }) => detections);
  const total = `${images.length} image${images.length === 1 ? "" : "s"}: ${counts(all) || "nothing found"}`;
  const each = Math.round((1000 * seconds) / Math.max(1, images.length));
  lines.push("", images.length > 0 ? `${total}; ${each} ms an image` : total);
  const lower = short(threshold / 2);
  if (below > 0) lines.push(`Just below the threshold: ${below} more from ${lower} on (--threshold ${lower})`);
  lines.push(`Results: ${predictions}`);
  const first = images[0]?.picture;
  if (first) lines.push(`Pictures: ${first}${images.length > 1 ? " and so on" : ""}`);
  lines.push(...labelLines(report));
  if (report.crops !== null) lines.push(`Objects: ${report.crops}, a folder for each class`);
  if (failed.length > 0)
    lines.push(`${failed.length} could not be read: ${failed.map((one) => one.file_name).join(", ")}`);
  if (skipped.length > 0) lines.push(`Left out, as no images: ${listed(skipped)}`);
  const videos = skipped.filter(isVideo).length;
  if (videos > 0)
    lines.push(`${videos === 1 ? "One of them is a video" : `${videos} of them are videos`}. ${FRAMES_HINT}`);
  if (undone > 0) lines.push(`Stopped: ${undone} images were not looked at`);
  return lines.join("\n");
}

/** Where the labels are, what is to be known of them, and which pictures a person should look at first. */
function labelLines({ labels, label_notes: notes, uncertain, images }: PredictReport): string[] {
  if (labels === null) return [];
  const first = [...images].sort((a, b) => b.uncertainty - a.uncertainty).slice(0, MOST_FILES);
  const shown = first.map(({ file_name, uncertainty }) => `${file_name} (${uncertainty.toFixed(2)})`);
  return [
    `Labels: ${labels}, by a model: they may train, and are refused in val and test until a person has seen them (docs/data.md)`,
    ...notes.map((note) => `  ${note}`),
    ...(first.length > 0 ? [`Most uncertain: ${shown.join(", ")}; all in ${uncertain}`] : []),
  ];
}

function listed(files: readonly string[]): string {
  const left = files.length - MOST_FILES;
  return `${files.slice(0, MOST_FILES).join(", ")}${left > 0 ? ` and ${left} more` : ""}`;
}

function short(threshold: number): number {
  return Number(threshold.toFixed(3));
}

/** "3 tree, 1 dog", the most frequent first. */
function counts(detections: PredictReport["images"][number]["detections"]): string {
  const byName = new Map<string, number>();
  for (const { category_name: name } of detections) byName.set(name, (byName.get(name) ?? 0) + 1);
  const sorted = [...byName].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, MOST_CLASSES).map(([name, count]) => `${count} ${name}`);
  const others = sorted.slice(MOST_CLASSES).reduce((sum, [, count]) => sum + count, 0);
  return [...shown, ...(others > 0 ? [`${others} of other classes`] : [])].join(", ");
}
