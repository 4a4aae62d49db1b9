// The operating point of a detector: the scores from which its detections count, and the precision and recall to expect there.

import { isObject, parseJson } from "../../util/untrusted/json.ts";

/** `precision`, `recall`: at least `at`, with as much of the other as there is. */
export type OperatingRule = { by: "best-f1"; at: null } | { by: "precision" | "recall"; at: number };

/** What 95 of 100 splits of as many images as it was chosen on would come to, and the middle of them. */
export type Expected = { low: number; expected: number; high: number };

export type OperatingPoint = {
  rule: OperatingRule;
  /** Whether the rule's precision or recall is reached at all; if not, `threshold` is that of the best F1. */
  reached: boolean;
  /** Of classes without one of their own. */
  threshold: number;
  /** By label; `threshold` is null where a class has too few boxes for one of its own, or none reaches what the rule asks for. */
  classes: { label: number; name: string; boxes: number; threshold: number | null }[];
  /** How many images it was chosen on. */
  images: number;
  /** Of all boxes together, each class at its threshold; null where there is nothing to measure. */
  precision: Expected | null;
  recall: Expected | null;
};

/**
 * Boxes that a class needs for a threshold of its own. Of 30, a recall of 0.7 has a standard error of 0.08: with fewer, thresholds
 * differ by less than chance does.
 */
export const LEAST_BOXES = 30;

/** Longest text of one that is read. */
const LONGEST = 1 << 20;

/** What a file says, as an object or as its JSON; undefined for anything else. */
export function operatingPointFrom(value: unknown): OperatingPoint | undefined {
  const point = (asObject(value) ?? {}) as Partial<Record<keyof OperatingPoint, unknown>>;
  const { rule, reached, threshold, classes, images } = point;
  const whole =
    isObject(rule) &&
    (rule.by === "best-f1" || ((rule.by === "precision" || rule.by === "recall") && isShare(rule.at))) &&
    typeof reached === "boolean" &&
    isShare(threshold) &&
    Number.isSafeInteger(images) &&
    Array.isArray(classes) &&
    classes.every(isClass) &&
    [point.precision, point.recall].every((one) => one === null || isExpected(one));
  return whole ? (point as OperatingPoint) : undefined;
}

function asObject(value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (value.length > LONGEST) return undefined;
  try {
    return parseJson(value, "operating point");
  } catch {
    return undefined; // another program may mean something else by the key
  }
}

function isClass(one: unknown): boolean {
  if (!isObject(one)) return false;
  const { label, name, boxes, threshold } = one;
  return Number.isSafeInteger(label) && typeof name === "string" && Number.isSafeInteger(boxes) && (threshold === null || isShare(threshold)); // biome-ignore format: one line
}

function isExpected(one: unknown): boolean {
  return isObject(one) && [one.low, one.expected, one.high].every(isShare);
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

/**
 * What to expect of a split of so many images. The spread has two parts of the same kind, chance in the images that it was chosen on
 * and in those that are measured; the second shrinks as these grow in number.
 */
export function expectedOf(
  { low, expected, high }: Expected,
  { images, chosenOn }: { images: number; chosenOn: number },
): Expected {
  const factor = Math.sqrt((1 + chosenOn / images) / 2);
  const clipped = (value: number) => Math.min(1, Math.max(0, value));
  return {
    low: clipped(expected - factor * (expected - low)),
    expected,
    high: clipped(expected + factor * (high - expected)),
  };
}

/** What the common threshold is, for people. */
export function describeRule({ rule, reached }: Pick<OperatingPoint, "rule" | "reached">): string {
  const evaluation = "of the run's own evaluation";
  if (rule.by === "best-f1") return `the best F1 ${evaluation}`;
  if (!reached) return `the best F1 ${evaluation}: a ${rule.by} of ${rule.at} is not reached at any`;
  return `for a ${rule.by} of ${rule.at} in the run's own evaluation`;
}

/** For people, such as "precision 0.82 to 0.91, recall 0.70 to 0.81". */
export function describeExpected({ precision, recall }: Pick<OperatingPoint, "precision" | "recall">): string {
  const text = (name: string, one: Expected | null) => one ? [`${name} ${one.low.toFixed(2)} to ${one.high.toFixed(2)}`] : []; // biome-ignore format: one line
  return [...text("precision", precision), ...text("recall", recall)].join(", ");
}
