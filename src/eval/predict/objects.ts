// The objects of a picture among what a model detects: those of the classes that are looked for, above a threshold.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import type { Detector } from "../../detector/detector.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import type { Mask } from "../../instance/instance.ts";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";

/** Which objects of a picture are wanted. */
export type ObjectOptions = {
  /**
   * Detections of a higher score than this are kept. `auto` (default): what the run itself chose with these weights, by class, or an
   * exported file has; 0.5 where there is none.
   */
  threshold?: number | "auto" | undefined;
  /** Names of the classes that are looked for; "a,b" means two where no class is called so. Default: all. */
  classes?: readonly string[] | undefined;
  /** The most detections an image. Default: the model's own number. */
  maxDets?: number | undefined;
};

/**
 * One object. `box`: xyxy in pixels of the original image, clipped to it. `categoryId`: the id that the data set uses. `mask`, of a
 * segmenter: COCO's run lengths at the size of the original image.
 */
export type PredictedObject = {
  box: [x1: number, y1: number, x2: number, y2: number];
  score: number;
  label: number;
  categoryId: number;
  name: string;
  mask?: Mask;
};

/** Throws a UserError for a threshold or a number that means nothing. */
export function requireMeaning({
  threshold = "auto",
  ...counts
}: Pick<ObjectOptions, "threshold" | "maxDets"> & { batchSize?: number | undefined }): void {
  if (threshold !== "auto" && !(threshold >= 0 && threshold <= 1))
    throw new UserError(`threshold is ${threshold}; it must lie from 0 to 1.`);
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new UserError(`${name} is ${value}; it must be a whole number from 1.`);
}

/** The classes of a model that have these names, or all of them. Throws a UserError for a name that none has. */
export function classesNamed(
  names: readonly string[] | undefined,
  { classes }: Pick<Detector, "classes">,
): ClassEntry[] {
  if (names === undefined) return [...classes];
  const known = new Set(classes.map(({ name }) => name));
  const wanted = names.flatMap((name) =>
    known.has(name) ? [name] : name.split(",").flatMap((part) => part.trim() || []),
  );
  for (const name of wanted) {
    if (known.has(name)) continue;
    const meant = closest(name, [...known]);
    const some = [...known].slice(0, 30).join(", ");
    throw new UserError(`The model has no class "${name}".${meant ? ` Did you mean "${meant}"?` : ""}`, {
      hint: `Its classes: ${some}${known.size > 30 ? ", ..." : ""}.`,
    });
  }
  return classes.filter(({ name }) => wanted.includes(name));
}

/** The objects of these classes that score more than the threshold, or than that of their label, in the order of the detections. */
export function toObjects(
  { boxes, scores, labels, shapes }: ImageDetections,
  classes: readonly ClassEntry[],
  threshold: number | ((label: number) => number),
): PredictedObject[] {
  const byLabel = new Map(classes.map((entry) => [entry.label, entry]));
  const least = typeof threshold === "number" ? () => threshold : threshold;
  return Array.from(labels).flatMap((label, i) => {
    const known = byLabel.get(label);
    const score = scores[i]!;
    if (!known || !(score > least(label))) return [];
    const box = [...boxes.subarray(4 * i, 4 * i + 4)] as PredictedObject["box"];
    const mask = shapes?.[i]?.mask;
    return [{ box, score, label, categoryId: known.categoryId, name: known.name, ...(mask && { mask }) }];
  });
}
