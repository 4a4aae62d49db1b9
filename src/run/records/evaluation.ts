// evaluation.json and evaluation-best.json: what lies behind the figures of a run's last and of its best evaluation.

import { join } from "node:path";
import type { MetricSummary } from "../../instance/metrics.ts";
import { type OperatingPoint, operatingPointFrom } from "../../instance/operating/point.ts";
import { isNumbers, isObject } from "../../util/untrusted/json.ts";
import { readRegular } from "../../util/untrusted/regular.ts";
import type { MetricsRow, ValRow } from "../events.ts";
import { runFiles } from "../files.ts";
import { readJsonObject } from "../json.ts";
import { hasTideErrors, type TideErrors } from "./tideErrors.ts";

/**
 * Objects by true class (rows) and by the class they were taken for (columns). The last row is background: detections
 * where there is no object. The last column is objects that were not found.
 */
export type Confusion = { classes: string[]; counts: number[][] };

/** Interpolated precision at the recalls 0, 0.01, ... 1, of the classes that have objects. */
export type PrecisionRecall = {
  recalls: number[];
  /** Means over the classes at IoU 0.5, at 0.75, and over 0.5 to 0.95. */
  mean: { "0.50": number[]; "0.75": number[]; "0.50:0.95": number[] } | null;
  /** At IoU 0.5. */
  classes: { name: string; precision: number[] }[];
};

/** Means over the classes that have annotations, of the detections that score `threshold` or more. */
export type F1 = { threshold: number; f1: number; precision: number; recall: number };

/**
 * How an image came out. `quality` is the sum of the IoUs of what was found, over found + (missed + wrong) / 2: 1 where
 * every box is exact, 0 where nothing was found, null where there is nothing to find and nothing was detected.
 */
export type ImageOutcome = {
  imageId: number;
  found: number;
  missed: number;
  wrong: number;
  quality: number | null;
};

/** A picture of labels beside predictions; `file` is relative to the run's folder, `image` the name in the annotations. */
export type RecordedPicture = Omit<ImageOutcome, "imageId"> & {
  kind: "worst" | "best";
  file: string;
  image: string;
  width: number;
  height: number;
};

/** What evaluation.json and evaluation-best.json hold. Metrics are null where there was nothing to measure. */
export type EvaluationRecord = {
  format: 1;
  step: number;
  epoch: number;
  images: number;
  /** The confidence from which detections count here: that of the best F1, or 0.5 where nothing was found. */
  threshold: number;
  confusion: Confusion;
  precisionRecall: PrecisionRecall;
  metrics: Record<string, number | null>;
  perClass: ({ name: string; annotations: number } & MetricSummary<number | null>)[];
  f1: F1;
  f1Sweep: F1[];
  /** Null where nothing was found; records of older versions lack it. */
  operatingPoint?: OperatingPoint | null;
  pictures: RecordedPicture[];
  /** Null where there is neither an object nor a detection; older records lack them. */
  errors?: TideErrors | null;
};

/**
 * The record of the best evaluation, or of the last one where that is not there. Records of evaluations that metrics.jsonl no
 * longer has, such as after a rollback, do not count.
 */
export async function readEvaluation(
  dir: string,
  { rows, best }: { rows: readonly MetricsRow[]; best: ValRow | null },
): Promise<EvaluationRecord | null> {
  const files = runFiles(dir);
  const known = new Set(rows.filter(({ split }) => split === "val").map(({ step }) => step));
  const [ofBest, last] = await Promise.all([files.bestEvaluation, files.evaluation].map(readRecordAt));
  if (ofBest && ofBest.step === best?.step) return ofBest;
  return last && known.has(last.step) ? last : null;
}

/**
 * The threshold of the best F1 on the validation images after `step` updates, where that was the best or the last
 * evaluation of the run and it found anything.
 */
export async function bestThreshold(dir: string, step: number): Promise<number | undefined> {
  const f1 = (await readParts(dir)).find((record) => record?.format === 1 && record.step === step)?.f1;
  if (!f1 || !hasNumbers(f1, ["threshold", "f1"])) return undefined;
  return f1.f1 > 0 && f1.threshold >= 0 && f1.threshold <= 1 ? f1.threshold : undefined;
}

/**
 * The pictures of the best and of the last evaluation that a run's folder has records of, and the steps that they belong
 * to. Records of any version have these.
 */
export async function recordedPictures(dir: string): Promise<{ step: number; picture: RecordedPicture }[]> {
  return (await readParts(dir)).flatMap((record) =>
    (Array.isArray(record?.pictures) ? record.pictures : [])
      .filter((picture) => PICTURE.test(picture?.file))
      .map((picture) => ({ step: Number(record?.step) || 0, picture })),
  );
}

/** Where the pictures of an evaluation lie: a record that names anything else was not written by this program. */
const PICTURE = /^evaluation\/\d+\/[\w-]+\.jpg$/;
const MOST_PICTURE_BYTES = 16 << 20;

/** The bytes of a picture that a record names; undefined where it is none of the run's own, or not there. */
export async function readPicture(dir: string, file: unknown): Promise<Buffer | undefined> {
  if (typeof file !== "string" || !PICTURE.test(file)) return undefined;
  return readRegular(join(dir, file), { most: MOST_PICTURE_BYTES, within: dir }).catch(() => undefined);
}

/** The records of the best and of the last evaluation, any part of which may be missing; null where there is none. */
function readParts(dir: string): Promise<(Partial<EvaluationRecord> | null)[]> {
  const { bestEvaluation, evaluation } = runFiles(dir);
  return Promise.all([bestEvaluation, evaluation].map((path) => readJsonObject<Partial<EvaluationRecord>>(path)));
}

/** A record that has all the parts a page shows; a later version's may not. */
async function readRecordAt(path: string): Promise<EvaluationRecord | null> {
  const record = await readJsonObject<EvaluationRecord>(path);
  if (record?.format !== 1) return null;
  const { perClass, confusion, precisionRecall, f1, f1Sweep, pictures } = record;
  const lists = [perClass, confusion?.classes, confusion?.counts, precisionRecall?.classes, f1Sweep, pictures];
  const whole =
    lists.every(Array.isArray) &&
    hasNumbers(record, ["step", "epoch", "images", "threshold"]) &&
    [f1, ...f1Sweep].every((one) => hasNumbers(one, ["threshold", "f1", "precision", "recall"])) &&
    perClass.every((one) => hasNumbers(one, ["annotations"]) && typeof one.name === "string") &&
    confusion.counts.every(isNumbers) &&
    pictures.every((one) => hasNumbers(one, ["found", "missed", "wrong", "width", "height"]));
  if (!whole) return null;
  const errors = hasTideErrors(record.errors) ? record.errors : null;
  return { ...record, errors, operatingPoint: operatingPointFrom(record.operatingPoint) ?? null };
}

function hasNumbers(value: unknown, names: string[]): boolean {
  return isObject(value) && names.every((name) => typeof (value as Record<string, unknown>)[name] === "number");
}
