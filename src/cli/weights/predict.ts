// `predict`: objects in pictures, as a COCO results file and as pictures with boxes drawn.

import type { CommandModule } from "yargs";
import type { PredictedObject, Prediction } from "../../eval/predict.ts";
import { UserError } from "../../util/errors.ts";
import { STOPPED, stopSignal } from "../signals.ts";

type Arguments = {
  weights: string;
  images: string[];
  out: string;
  threshold: number;
  maxDets?: number;
  batchSize: number;
  device: string;
  recipe?: string;
  pictures: boolean;
  json: boolean;
};

/** What `--json` prints. `file_name` is the image's path; `picture` is null where none was written. */
export type PredictReport = {
  weights: string;
  threshold: number;
  predictions: string;
  images: {
    id: number;
    file_name: string;
    width: number;
    height: number;
    picture: string | null;
    detections: CocoResult[];
  }[];
  failed: { file_name: string; error: string }[];
  /** Images that a signal left undone. */
  undone: number;
};

type CocoResult = {
  image_id: number;
  category_id: number;
  bbox: [x: number, y: number, width: number, height: number];
  score: number;
  file_name: string;
  category_name: string;
};

const RESULTS = "predictions.json";
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
        describe: `Folder for ${RESULTS} and the pictures`,
      })
      .option("threshold", {
        type: "number",
        requiresArg: true,
        default: 0.5,
        describe: "Leave out what scores no more than this",
      })
      .option("max-dets", { type: "number", requiresArg: true, describe: "Most detections an image" })
      .option("batch-size", { type: "number", requiresArg: true, default: 4, describe: "Images a forward pass" })
      .option("device", {
        choices: ["auto", "cpu", "gpu"],
        requiresArg: true,
        default: "auto",
        describe: "Where to compute",
      })
      .option("recipe", {
        type: "string",
        requiresArg: true,
        describe: "The recipe of weights that do not tell their architecture",
      })
      .option("pictures", { type: "boolean", default: true, describe: "Write pictures; --no-pictures leaves them out" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as JSON" }) as never,
  handler: async (args) => {
    for (const name of ["weights", "out", "threshold", "maxDets", "batchSize", "recipe"] as const)
      if (Array.isArray(args[name])) throw new UserError(`--${name} can be given once only.`);
    const report = await run(args);
    process.stdout.write(`${args.json ? JSON.stringify(report) : table(report)}\n`);
    if (report.failed.length > 0 && process.exitCode === undefined) process.exitCode = 2;
  },
};

async function run(args: Arguments): Promise<PredictReport> {
  const { weights, out, threshold, maxDets, batchSize } = args;
  const [{ join }, { mkdir }, { findImages, pictureNames, placeInside }, { predict }, { fileError, writeFileAtomic }] =
    await Promise.all([
      import("node:path"),
      import("node:fs/promises"),
      import("../../data/image/imagePaths.ts"),
      import("../../eval/predict.ts"),
      import("../../util/files.ts"),
    ]);
  const { paths, missing } = await findImages(args.images, { except: out });
  if (paths.length === 0) throw missing[0]?.error ?? new UserError("--images names no image.");
  const names = new Map(pictureNames(paths).map((name, i) => [paths[i]!, name]));
  if (args.pictures) await refuseOverwriting(out, names);
  const { downloadView } = await import("../terminal/downloadView.ts");
  await mkdir(out, { recursive: true }).catch((cause) => {
    throw fileError(out, "write", cause);
  });
  const recipe = args.recipe ? await (await import("../../recipe/load.ts")).loadRecipe(args.recipe) : undefined;

  const total = paths.length + missing.length;
  const report: PredictReport = {
    weights,
    threshold,
    predictions: join(out, RESULTS),
    images: [],
    failed: [],
    undone: total,
  };
  const view = progress(total);
  const download = downloadView(process.stderr, weights);
  const fail = (file: string, { message }: UserError) => {
    view.print(message);
    report.failed.push({ file_name: file, error: message });
  };
  const signal = stopSignal((name) => view.print(`${name}: stopping after these images.`));
  const device = args.device as "auto" | "cpu" | "gpu";
  try {
    for (const { file, error } of missing) fail(file, error);
    const results = predict({
      ...{ weights, images: paths, threshold, maxDets, batchSize, device, recipe, signal },
      onStart: ({ model, device: used }) => {
        report.weights = model.source;
        view.print(`Weights: ${model.source}`);
        view.print(`Device: ${used.kind === "gpu" ? "GPU" : "CPU"} (${used.name})`);
        if (used.warning) view.print(`Warning: ${used.warning}`);
      },
      onDownload: download,
    });
    for await (const found of results) {
      if (found.error) fail(found.file, found.error);
      else {
        const picture = args.pictures ? await placeInside(out, names.get(found.file)!) : null;
        if (picture !== null) await writeFileAtomic(picture, await drawn(found, picture));
        const { imageId: id, file: file_name, image, objects } = found;
        const detections = objects.map((object) => toResult(object, id, file_name));
        report.images.push({ id, file_name, width: image.width, height: image.height, picture, detections });
      }
      view.update(report.images.length + report.failed.length);
    }
  } finally {
    download.stop();
    view.stop();
  }
  report.undone = total - report.images.length - report.failed.length;
  const rows = report.images.flatMap(({ detections }) => detections.map((row) => JSON.stringify(row)));
  await writeFileAtomic(report.predictions, rows.length > 0 ? `[\n${rows.join(",\n")}\n]\n` : "[]\n");
  if (report.undone > 0) process.exitCode = STOPPED;
  return report;
}

async function drawn(found: Extract<Prediction, { objects: unknown }>, name: string): Promise<Uint8Array> {
  const { drawObjects, encodePicture } = await import("../../data/image/draw.ts");
  const objects = found.objects.map(({ name: text, score, ...rest }) => ({
    ...rest,
    text: `${text} ${score.toFixed(2)}`,
  }));
  return encodePicture(await drawObjects(found.image, objects), name);
}

/** Pictures must not take the place of the images that they are made of. */
async function refuseOverwriting(out: string, names: Map<string, string>): Promise<void> {
  const [{ join }, { realpath }] = await Promise.all([import("node:path"), import("node:fs/promises")]);
  const real = (path: string) => realpath(path).catch(() => undefined);
  const sources = new Map(await Promise.all([...names.keys()].map(async (path) => [await real(path), path] as const)));
  for (const name of names.values()) {
    const place = await real(join(out, name));
    const source = place && sources.get(place);
    if (source !== undefined)
      throw new UserError(`--out ${out}: the picture ${join(out, name)} would take the place of the image ${source}.`, {
        hint: "Choose another folder, or leave the pictures out with --no-pictures.",
      });
  }
}

function toResult({ box, score, categoryId, name }: PredictedObject, image: number, file: string): CocoResult {
  const round = (value: number, digits: number) => Number(value.toFixed(digits));
  const [x1, y1, x2, y2] = box;
  return {
    image_id: image,
    category_id: categoryId,
    bbox: [round(x1, 3), round(y1, 3), round(x2 - x1, 3), round(y2 - y1, 3)],
    score: round(score, 6),
    file_name: file,
    category_name: name,
  };
}

/** What is told on stderr: a counter that stays on its line in a terminal, and now and then a line elsewhere. */
function progress(total: number) {
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
    update: (done: number) => show(`${done} of ${total} images`, done < total),
    stop: clear,
  };
}

function table({ images, failed, undone, predictions }: PredictReport): string {
  const shown = images.slice(0, MOST_SHOWN);
  const width = Math.max(...shown.map(({ file_name }) => file_name.length), 0) + 2;
  const lines = shown.map(({ file_name, width: w, height: h, detections }) => {
    const size = `${w}x${h}`.padEnd(11);
    return `${file_name.padEnd(width)}${size}  ${counts(detections) || "nothing found"}`;
  });
  if (images.length > shown.length) lines.push(`... and ${images.length - shown.length} more images`);
  const all = images.flatMap(({ detections }) => detections);
  const total = `${images.length} image${images.length === 1 ? "" : "s"}: ${counts(all) || "nothing found"}`;
  lines.push("", total, `Results: ${predictions}`);
  const first = images[0]?.picture;
  if (first) lines.push(`Pictures: ${first}${images.length > 1 ? " and so on" : ""}`);
  if (failed.length > 0)
    lines.push(`${failed.length} could not be read: ${failed.map((one) => one.file_name).join(", ")}`);
  if (undone > 0) lines.push(`Stopped: ${undone} images were not looked at`);
  return lines.join("\n");
}

/** "3 tree, 1 dog", the most frequent first. */
function counts(detections: readonly CocoResult[]): string {
  const byName = new Map<string, number>();
  for (const { category_name: name } of detections) byName.set(name, (byName.get(name) ?? 0) + 1);
  const sorted = [...byName].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, MOST_CLASSES).map(([name, count]) => `${count} ${name}`);
  const others = sorted.slice(MOST_CLASSES).reduce((sum, [, count]) => sum + count, 0);
  return [...shown, ...(others > 0 ? [`${others} of other classes`] : [])].join(", ");
}
