// What an exported file says about the detector inside: texts by key, for whoever deploys it, and for evaluation here.

import { classTable } from "../data/dataset/cocoNames.ts";
import type { ClassEntry } from "../data/dataset/sample.ts";
import { IMAGENET } from "../data/image/resize.ts";
import { type OperatingPoint, operatingPointFrom } from "../instance/operating/point.ts";
import type { Slices } from "../instance/slices/layout.ts";
import { parseJson } from "../util/untrusted/json.ts";

/** All that is known when a file is written. */
export type DetectorFacts = {
  classes: readonly ClassEntry[];
  resolution: number;
  numSelect: number;
  precision: string;
  /** The outputs: `raw` as the reference's, or `decoded`. */
  outputs: "raw" | "decoded";
  /** Whether it is a segmenter. */
  masks: boolean;
  /** Fields of the reference's ModelConfig. */
  architecture: object;
  version: string;
  /** Where the weights are from. */
  weights: { source: string; sha256: string };
  run: string | undefined;
  epoch: number | undefined;
  /** The score from which detections shall count: that of the best F1 of the run's evaluation. */
  threshold: number | undefined;
  /** The same for each class, with what to expect; its thresholds count, not `threshold`. */
  operatingPoint?: OperatingPoint | undefined;
  /** The parts of pictures that it was trained on, where it was. */
  slices?: Slices | undefined;
  /** What became of the classes of its data set, as weights files have it. */
  dataClasses?: string | undefined;
};

const MASKS = {
  raw: "logits of a quarter of the side; enlarged to the image (bilinear, half-pixel centres), what is above 0 is inside",
  decoded: "1 inside, from the first row and column at the size of the image, 0 around it",
} as const;

/** The entries of the file. `rfdetr_notes` is the one key that the reference's own export has. */
export function toMetadata(facts: DetectorFacts): Record<string, string> {
  const { classes, resolution, weights, run, epoch, outputs, masks, operatingPoint, slices, dataClasses } = facts;
  const threshold = operatingPoint?.threshold ?? facts.threshold;
  const entries: Record<string, unknown> = {
    rfdetr_notes: { trainer: "rfdetr-train", version: facts.version, ...(run !== undefined && { run }) },
    names: Object.fromEntries(classes.map(({ label, name }) => [label, name])),
    classes: classes.map(({ label, name, categoryId }) => ({ label, name, category_id: categoryId })),
    resolution,
    imgsz: [resolution, resolution],
    input: "RGB, float32, [batch, 3, height, width]: (value / 255 - mean) / std",
    mean: IMAGENET.mean,
    std: IMAGENET.std,
    resize: "bilinear, stretched to the square (the aspect ratio is not kept), half-pixel centres, no antialiasing",
    boxes: outputs === "raw" ? "cxcywh, normalised" : "xyxy, in pixels of the original image",
    scores: outputs === "raw" ? "logits; sigmoid gives the score of each class" : "sigmoid, in falling order",
    ...(masks && { masks: outputs === "raw" ? MASKS.raw : MASKS.decoded }),
    task: masks ? "segmentation" : "detection",
    outputs,
    num_select: facts.numSelect,
    precision: facts.precision,
    architecture: facts.architecture,
    rfdetr_train: facts.version,
    weights: weights.source,
    weights_sha256: weights.sha256,
    ...(run !== undefined && { run }),
    ...(epoch !== undefined && { epoch }),
    ...(threshold !== undefined && { threshold }),
    ...(operatingPoint && { thresholds: ownThresholds(operatingPoint), operating_point: operatingPoint }),
    ...(slices && { slices }),
    ...(dataClasses !== undefined && { data_classes: dataClasses }),
  };
  return Object.fromEntries(
    Object.entries(entries).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/** By label, of the classes that have one of their own: all others have `threshold`. */
function ownThresholds({ classes }: OperatingPoint): Record<number, number> {
  return Object.fromEntries(
    classes.flatMap(({ label, threshold }) => (threshold === null ? [] : [[label, threshold]])),
  );
}

/**
 * The classes that a file names, how many detections to keep, and from which score they count. A file of another program says nothing of it: then COCO's
 * classes where it has 91 logits, else classes by their number.
 */
export function fromMetadata(
  metadata: Record<string, string>,
  logits: number | undefined,
): {
  classes: ClassEntry[];
  numSelect: number;
  threshold: number | undefined;
  operatingPoint: OperatingPoint | undefined;
} {
  const select = parse(metadata.num_select);
  const numSelect = typeof select === "number" && Number.isInteger(select) && select > 0 ? select : 300;
  const score = parse(metadata.threshold);
  const threshold = typeof score === "number" && score >= 0 && score <= 1 ? score : undefined;
  const operatingPoint = operatingPointFrom(metadata.operating_point);
  const entries = parse(metadata.classes);
  const isEntry = (one: unknown): one is { label: number; name: string; category_id: number } => {
    const { label, name, category_id: id } = (one ?? {}) as Record<string, unknown>;
    return Number.isInteger(label) && typeof name === "string" && Number.isSafeInteger(id);
  };
  if (Array.isArray(entries) && entries.length > 0 && entries.every(isEntry)) {
    const classes = entries.map(({ label, name, category_id: categoryId }) => ({ label, name, categoryId }));
    return { classes, numSelect, threshold, operatingPoint };
  }
  return {
    classes: logits === undefined ? [] : classTable({}, Math.max(1, logits - 1)),
    numSelect,
    threshold,
    operatingPoint,
  };
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : parseJson(text, "metadata");
  } catch {
    return undefined; // another program may mean something else by the key
  }
}
