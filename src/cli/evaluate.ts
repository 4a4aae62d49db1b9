// `evaluate`: COCO metrics of weights on a data set, or of a results file that any program wrote.

import type { CommandModule } from "yargs";
import type { SplitName } from "../data/sample.ts";
import type { CocoMetrics } from "../eval/cocoAp.ts";
import type { F1 } from "../eval/f1.ts";
import { UserError } from "../util/errors.ts";

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

type Report = Pick<CocoMetrics, "metrics" | "perClass"> & {
  f1: F1;
  /** Lines about what was evaluated. */
  facts: string[];
  /** The same for --json. */
  about: Record<string, string | number>;
};

export const evaluateCommand: CommandModule<object, Arguments> = {
  command: "evaluate",
  describe: "COCO metrics of weights on a data set, or of a results file",
  builder: (yargs) =>
    yargs
      .option("weights", {
        type: "string",
        requiresArg: true,
        describe: "Run, checkpoint, weights file or published name",
      })
      .option("data", { type: "string", requiresArg: true, describe: "Folder of the data set" })
      .option("split", {
        type: "string",
        default: "val",
        choices: ["train", "val", "test"],
        describe: "Part of the data",
      })
      .option("recipe", { type: "string", requiresArg: true, describe: "Says the model where the weights do not" })
      .option("predictions", { type: "string", requiresArg: true, describe: "COCO results file" })
      .option("annotations", { type: "string", requiresArg: true, describe: "COCO annotation file" })
      .option("max-dets", {
        type: "number",
        requiresArg: true,
        describe: "Detections that count, an image and class [100; with --weights 500]",
      })
      .option("batch-size", { type: "number", default: 4, requiresArg: true, describe: "Images at a time" })
      .option("device", {
        type: "string",
        default: "auto",
        choices: ["auto", "cpu", "gpu"],
        describe: "Where to compute",
      })
      .option("json", { type: "boolean", default: false, describe: "Print the result as JSON" }) as never,
  handler: async (args) => {
    const report = await measure(args);
    const { metricsOf } = await import("../eval/metricsRow.ts");
    const result = { ...report.about, ...metricsOf(report) };
    process.stdout.write(`${args.json ? JSON.stringify(result) : table(report)}\n`);
  },
};

async function measure(args: Arguments): Promise<Report> {
  const { weights, data, predictions, annotations, maxDets, batchSize } = args;
  for (const [name, value] of Object.entries({ "max-dets": maxDets, "batch-size": batchSize })) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new UserError(`--${name} must be a whole number from 1.`);
  }
  const fromFile = predictions !== undefined || annotations !== undefined;
  if (fromFile && (weights !== undefined || data !== undefined)) {
    throw new UserError("evaluate takes either --weights and --data or --predictions and --annotations, not both.");
  }
  if (fromFile) {
    if (!predictions || !annotations) throw missing(predictions ? "--annotations" : "--predictions");
    return measureFile(predictions, annotations, maxDets ?? 100);
  }
  if (!weights || !data) throw missing(weights ? "--data" : data ? "--weights" : "--weights and --data");
  return measureModel(weights, data, args);
}

function missing(option: string): UserError {
  return new UserError(`evaluate needs ${option}.`, {
    hint: "evaluate --weights W --data DIR, or evaluate --predictions RESULTS.json --annotations GT.json",
  });
}

async function measureFile(predictions: string, annotations: string, maxDets: number): Promise<Report> {
  const [{ readAnnotations, readResults }, { cocoAp, limits }, { bestF1 }] = await Promise.all([
    import("../eval/results.ts"),
    import("../eval/cocoAp.ts"),
    import("../eval/f1.ts"),
  ]);
  const truth = await readAnnotations(annotations);
  const { detections, unknown } = await readResults(predictions, truth);
  const { groundTruths, categories, imageIds } = truth;
  const all = { groundTruths, detections, categories };
  const facts = [
    `annotations  ${annotations}: ${imageIds.size} images, ${groundTruths.length} boxes, ${categories.length} classes`,
    `predictions  ${predictions}: ${detections.length} detections`,
  ];
  for (const [id, count] of unknown)
    facts.push(`left out     ${count} detection${count === 1 ? "" : "s"} of category ${id}, which is not annotated`);
  if (groundTruths.some(({ id }) => id === 0)) {
    facts.push("note         annotation id 0: pycocotools counts no match with it, and neither does this");
  }
  const { metrics, perClass } = cocoAp({ ...all, maxDets: limits(maxDets) });
  const about = { predictions, annotations, images: imageIds.size, detections: detections.length };
  return { metrics, perClass, f1: bestF1(all), facts, about };
}

async function measureModel(source: string, dir: string, args: Arguments): Promise<Report> {
  const [
    { loadDataset },
    { createLoader },
    { selectDevice },
    { loadModel },
    { categoryOfLabel, evaluateModel },
    { detectObjects },
  ] = await Promise.all([
    import("../data/dataset.ts"),
    import("../data/loader.ts"),
    import("../engine/device.ts"),
    import("../eval/loadModel.ts"),
    import("../eval/evaluate.ts"),
    import("../model/detect.ts"),
  ]);
  const name = args.split as SplitName;
  const { splits, classes, description } = await loadDataset({ dir }, { require: [name] });
  const { samples } = splits[name]!;
  const recipe = args.recipe ? await (await import("../recipe/load.ts")).loadRecipe(args.recipe) : undefined;
  const device = selectDevice(args.device as "auto" | "cpu" | "gpu");
  if (device.warning) process.stderr.write(`${device.warning}\n`);
  const { weights, architecture, dispose, ...model } = await loadModel(source, { recipe });
  const loader = createLoader({
    ...{ split: splits[name]!, batchSize: args.batchSize, resolution: architecture.resolution, workers: 1 },
    ...{ seed: 0, augment: null, training: false },
  });
  const show = process.stderr.isTTY && !args.json;
  try {
    const { metrics, perClass, f1, images } = await evaluateModel({
      detect: (batch) => detectObjects(weights, architecture, batch),
      batches: loader.epoch(0),
      categoryOf: categoryOfLabel(model.classes, classes, model.source),
      maxDets: args.maxDets ?? 500,
      onBatch: (done) => show && process.stderr.write(`\r${done} of ${samples.length} images`),
      ...{ samples, classes },
    });
    if (show) process.stderr.write("\n");
    const facts = [
      `weights  ${model.source}`,
      `data     ${description}, ${name}: ${images} images`,
      `device   ${device.name}`,
    ];
    const about = { weights: model.source, data: dir, split: name, images };
    return { metrics, perClass, f1, facts, about };
  } finally {
    await loader.close();
    dispose();
  }
}

function table({ metrics, perClass, f1, facts }: Report): string {
  const show = (value: number) => (value < 0 ? "-" : value.toFixed(4)).padStart(9);
  const width = Math.max(9, ...Object.keys(metrics).map(({ length }) => length + 2));
  const nameWidth = Math.max(7, ...perClass.map(({ name }) => name.length + 2));
  const columns = ["AP50:95", "AP50", "AP75", "AR"] as const;
  return [
    ...facts,
    "",
    ...Object.entries(metrics).map(([name, value]) => name.padEnd(width) + show(value)),
    `${"F1".padEnd(width)}${show(f1.f1)}  (score >= ${f1.threshold.toFixed(2)}: precision ${f1.precision.toFixed(4)}, recall ${f1.recall.toFixed(4)})`,
    "",
    `${"class".padEnd(nameWidth)}${columns.map((name) => name.padStart(9)).join("")}${"boxes".padStart(8)}`,
    ...perClass.map(
      (one) =>
        one.name.padEnd(nameWidth) +
        columns.map((name) => show(one[name])).join("") +
        String(one.annotations).padStart(8),
    ),
  ].join("\n");
}
