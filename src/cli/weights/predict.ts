// `predict`: objects in pictures, as a COCO results file and as pictures with boxes drawn.

import type { CommandModule } from "yargs";
import type { DeviceChoice } from "../../engine/device.ts";
import type { PredictReport } from "../../eval/predict/predictToFolder.ts";
import { UserError } from "../../util/errors.ts";
import { DEVICE_OPTION, JSON_OPTION, MODEL_RECIPE_OPTION, requireOnce } from "../options.ts";
import { STOPPED, stopSignal } from "../signals.ts";

type Arguments = {
  weights: string;
  images: string[];
  out: string;
  threshold: string;
  maxDets?: number;
  batchSize: number;
  device: string;
  recipe?: string;
  pictures: boolean;
  json: boolean;
};

const CHOSEN: Record<PredictReport["threshold_from"], string> = {
  given: "as given",
  run: "the best F1 of the run's own evaluation",
  default: "as nothing is recorded with these weights",
};
const MOST_SHOWN = 20;
const MOST_CLASSES = 8;

export const predictCommand: CommandModule<object, Arguments> = {
  command: "predict",
  describe: "Detect objects in images: COCO results and pictures with boxes",
  builder: (yargs) =>
    yargs
      .option("weights", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "A run, a checkpoint, a weights or .onnx file, or a published name",
      })
      .option("images", {
        type: "string",
        array: true,
        requiresArg: true,
        demandOption: true,
        describe: 'Image files, folders, or patterns such as "photos/**/*.jpg"',
      })
      .option("out", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "Folder for predictions.json and the pictures",
      })
      .option("threshold", {
        type: "string",
        requiresArg: true,
        default: "auto",
        describe: "Leave out what scores no more than this; auto: what the run found best (else 0.5)",
      })
      .option("max-dets", { type: "number", requiresArg: true, describe: "Most detections an image" })
      .option("batch-size", { type: "number", requiresArg: true, default: 4, describe: "Images a forward pass" })
      .option("device", DEVICE_OPTION)
      .option("recipe", MODEL_RECIPE_OPTION)
      .option("pictures", { type: "boolean", default: true, describe: "Write pictures; --no-pictures leaves them out" })
      .option("json", JSON_OPTION) as never,
  handler: async (args) => {
    requireOnce(args, { lists: ["images"] });
    const report = await run(args);
    process.stdout.write(`${args.json ? JSON.stringify(report) : table(report)}\n`);
    if (report.failed.length > 0 && !process.exitCode) process.exitCode = 2;
  },
};

async function run({ pictures, ...args }: Arguments): Promise<PredictReport> {
  const [{ predictToFolder }, { downloadView }] = await Promise.all([
    import("../../eval/predict/predictToFolder.ts"),
    import("../terminal/downloadView.ts"),
  ]);
  const { weights, images, out, maxDets, batchSize } = args;
  const threshold = args.threshold === "auto" ? "auto" : Number(args.threshold);
  if (Number.isNaN(threshold))
    throw new UserError(`--threshold is "${args.threshold}"; it must be auto, or a number from 0 to 1.`);
  const recipe = args.recipe ? await (await import("../../recipe/load.ts")).loadRecipe(args.recipe) : undefined;
  const view = progress();
  const download = downloadView(process.stderr, weights);
  const signal = stopSignal((name) => view.print(`${name}: stopping after these images.`));
  try {
    const report = await predictToFolder({
      ...{ weights, images, out, threshold, maxDets, batchSize, pictures, recipe, signal },
      device: args.device as DeviceChoice,
      onStart: ({ model, device, threshold }) => {
        view.print(`Weights: ${model.source}`);
        view.print(`Threshold: ${short(threshold.value)}, ${CHOSEN[threshold.from]}`);
        view.print(`Device: ${device.kind === "gpu" ? "GPU" : "CPU"} (${device.name})`);
        if (device.warning) view.print(`Warning: ${device.warning}`);
      },
      onFailed: view.print,
      onImages: view.update,
      onDownload: download,
    });
    if (report.undone > 0) process.exitCode = STOPPED;
    return report;
  } finally {
    download.stop();
    view.stop();
  }
}

/** What is told on stderr: a counter that stays on its line in a terminal, and now and then a line elsewhere. */
function progress() {
  const { stderr } = process;
  const clear = () => void (stderr.isTTY && stderr.write("\r\u001b[K"));
  let last = performance.now();
  const show = (text: string, due: boolean) => {
    if (stderr.isTTY) stderr.write(`\r\u001b[K${text}`);
    else if (due && performance.now() - last > 5000) stderr.write(`${text}\n`);
    else return;
    last = performance.now();
  };
  return {
    print: (text: string) => {
      clear();
      stderr.write(`${text}\n`);
    },
    update: (done: number, total: number) => show(`${done} of ${total} images`, done < total),
    stop: clear,
  };
}

function table({ images, failed, undone, predictions, threshold, below }: PredictReport): string {
  const shown = images.slice(0, MOST_SHOWN);
  const width = Math.max(...shown.map(({ file_name }) => file_name.length), 0) + 2;
  const lines = shown.map(({ file_name, width: w, height: h, detections }) => {
    const size = `${w}x${h}`.padEnd(11);
    return `${file_name.padEnd(width)}${size}  ${counts(detections) || "nothing found"}`;
  });
  if (images.length > shown.length) lines.push(`... and ${images.length - shown.length} more images`);
  const all = images.flatMap(({ detections }) => detections);
  const total = `${images.length} image${images.length === 1 ? "" : "s"}: ${counts(all) || "nothing found"}`;
  lines.push("", total);
  const lower = short(threshold / 2);
  if (below > 0) lines.push(`Just below the threshold: ${below} more from ${lower} on (--threshold ${lower})`);
  lines.push(`Results: ${predictions}`);
  const first = images[0]?.picture;
  if (first) lines.push(`Pictures: ${first}${images.length > 1 ? " and so on" : ""}`);
  if (failed.length > 0)
    lines.push(`${failed.length} could not be read: ${failed.map((one) => one.file_name).join(", ")}`);
  if (undone > 0) lines.push(`Stopped: ${undone} images were not looked at`);
  return lines.join("\n");
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
