// What a data set is once it is read: images with labelled boxes, whatever the files looked like; and the rules for boxes.

import type { Instance, Mask, Shape, Target } from "../../instance/instance.ts";
import type { PolygonRule } from "../../instance/masks/maskRuns.ts";
import { dropHiddenKeypoints, placeShape } from "../../instance/placement.ts";
import type { PartArea } from "../../instance/slices/layout.ts";
import type { Fact } from "../../util/text/fact.ts";
import type { Reading } from "../image/decode.ts";

/** One class. `label` is the model's class index (0..N-1), `categoryId` the id that the files and COCO results use. */
export type ClassEntry = { name: string; categoryId: number; label: number };

/** What names of the same class share: they may differ in capitals and outer spaces. */
export function nameKey(name: string): string {
  return name.normalize("NFC").trim().toLowerCase();
}

/**
 * Who made a label that no person has seen yet. `model`: the weights, for people, by which labels of the same call are known; `from`: the
 * file that says so; `about`: what else is known.
 */
export type ModelMark = { model: string; from: string; about?: ModelLabels };

/** How labels were made: the weights and the SHA-256 of their file, the program and its version, when, and above which score. */
export type ModelLabels = { weights: string; sha256: string; program: string; date: string; threshold: number };

/** One labelled object, as annotated: its box is not clamped, its mask and keypoints are those of the file. */
export type Annotation = Instance & {
  id: number;
  categoryId: number;
  /** Area as annotated, in square pixels (a segmentation's area where the file gives one). */
  area: number;
  /** A region of many objects: it counts in evaluation only and never reaches training. */
  crowd: boolean;
  /** Of a label that a model made, and how sure it was. */
  byModel?: ModelMark;
  score?: number;
};

/**
 * One image. `file` is its name in the annotations, `path` where it lies; sizes are null where the files do not say. `area`: it
 * is this part of the file's picture, whose id it has; size and annotations are those of the part.
 */
export type Sample = {
  imageId: number;
  file: string;
  path: string;
  width: number | null;
  height: number | null;
  annotations: Annotation[];
  area?: PartArea;
  /** A model looked at this picture, and nobody since: what has no box in it may be an object, too. */
  byModel?: ModelMark;
};

export const SPLITS = ["train", "val", "test"] as const;
export type SplitName = (typeof SPLITS)[number];

/**
 * One part of a data set, its samples in the order of their image ids. `images` is the folder they lie in, `annotations` the
 * file (or folder) that their boxes are from, `reading` how the images are read, `polygons` how masks are drawn (default: as COCO's).
 */
export type Split = {
  name: SplitName;
  images: string;
  annotations: string;
  samples: Sample[];
  reading: Reading;
  polygons?: PolygonRule;
};

/** What a data set comes to, wherever it is from. */
export type LabelledData = {
  /** Labels 0..N-1, from the training split wherever there is one. */
  classes: ClassEntry[];
  splits: Partial<Record<SplitName, Split>>;
  problems: Problem[];
  /** What was done to it after it was read, for people. */
  notes?: Fact[];
};

/** So many of its samples, spread evenly over the split; all where it has no more. */
export function spread(split: Split, count: number): Split {
  const { samples } = split;
  const most = Math.min(count, samples.length);
  return {
    ...split,
    samples: Array.from({ length: most }, (_, i) => samples[Math.floor((i * samples.length) / most)]!),
  };
}

export type ProblemKind =
  | "missing-image"
  | "corrupt-image"
  | "unlisted-file"
  | "duplicate-image"
  | "duplicate-annotation"
  | "duplicate-box"
  | "escaping-path"
  | "unknown-category"
  | "class-clash"
  | "empty-class"
  | "twin-classes"
  | "no-boxes"
  | "unread-labels"
  | "not-boxes"
  | "unknown-image"
  | "malformed"
  | "box-not-a-number"
  | "box-negative-size"
  | "box-zero-size"
  | "box-outside"
  | "box-partly-outside"
  | "size-differs"
  | "exif"
  | "deep-image"
  | "animated-image"
  | "too-many-objects"
  | "leak"
  | "by-model"
  | "near-duplicate"
  | "mask-unusable"
  | "mask-empty"
  | "mask-off-box"
  | "mask-holes"
  | "mask-missing"
  | "no-masks";

/**
 * Something wrong in a data set. Errors stop training; warnings are counted and said. `message` is a whole sentence that
 * names the file and, where there is one, the annotation.
 */
export type Problem = {
  kind: ProblemKind;
  severity: "error" | "warning";
  split: SplitName;
  file: string;
  annotationId?: number;
  message: string;
};

/** What is wrong with an xyxy box in an image of this size, or null. Sizes that are unknown (null) are not judged. */
export function boxFault(
  [x1, y1, x2, y2]: Annotation["box"],
  width: number | null,
  height: number | null,
): { kind: ProblemKind; severity: Problem["severity"]; reason: string } | null {
  const [w, h] = [x2 - x1, y2 - y1];
  const shown = `x ${x1}, y ${y1}, width ${w}, height ${h}`;
  if (![x1, y1, x2, y2].every(Number.isFinite))
    return { kind: "box-not-a-number", severity: "error", reason: "has a box with a coordinate that is not a number" };
  if (w < 0 || h < 0) return { kind: "box-negative-size", severity: "error", reason: `has a negative size (${shown})` };
  if (w === 0 || h === 0) return { kind: "box-zero-size", severity: "warning", reason: `has no area (${shown})` };
  if (width === null || height === null) return null;
  const size = `the ${width} x ${height} image`;
  if (x2 <= 0 || y2 <= 0 || x1 >= width || y1 >= height)
    return { kind: "box-outside", severity: "warning", reason: `lies outside ${size} (${shown})` };
  // Half a pixel is what rounding in annotation tools gives.
  if (x1 < -0.5 || y1 < -0.5 || x2 > width + 0.5 || y2 > height + 0.5)
    return { kind: "box-partly-outside", severity: "warning", reason: `reaches out of ${size} (${shown})` };
  return null;
}

/** Objects that are annotated more than once: what the image has, one phrase an object. Each copy is one that can never be found. */
export function doubles(annotations: readonly Annotation[], classes: readonly ClassEntry[]): string[] {
  const times = new Map<string, number>();
  const names = new Map(classes.map(({ label, name }) => [label, name]));
  for (const { label, box, crowd } of annotations) {
    if (crowd) continue;
    const key = JSON.stringify([names.get(label) ?? String(label), ...box.map((side) => Math.round(side * 100))]);
    times.set(key, (times.get(key) ?? 0) + 1);
  }
  return [...times]
    .filter(([, count]) => count > 1)
    .map(([key, count]) => `has the same box of ${JSON.parse(key)[0]} ${count === 2 ? "twice" : `${count} times`}`);
}

/** The mask of an object: that of the file; in YOLO's files a box without one is its own mask, as for the reference. */
export function annotatedMask(
  { mask, box: [x1, y1, x2, y2] }: Annotation,
  rule: PolygonRule = "coco",
): Mask | undefined {
  if (mask || rule === "coco") return mask;
  return { polygons: [[x1, y1, x2, y1, x2, y2, x1, y2]] };
}

/**
 * Labelled boxes in pixels, ready for geometry: `boxes` is `[n, 4]` xyxy; `shapes` and `annotations` `[n]`, where they are asked
 * for: what moves with the boxes, and what they were made of.
 */
export type PixelBoxes = {
  boxes: Float64Array;
  labels: Int32Array;
  shapes?: readonly Shape[];
  annotations?: readonly Annotation[];
};

/**
 * The boxes that training sees: no crowds, clamped to an image of this size, those left without area dropped. `shapes`: with
 * their masks and keypoints; `masks`: with the annotations, whose masks are drawn later.
 */
export function trainingBoxes(
  annotations: readonly Annotation[],
  width: number,
  height: number,
  { shapes = false, masks = false }: { shapes?: boolean; masks?: boolean } = {},
): PixelBoxes {
  const kept = annotations.filter((a) => !a.crowd);
  const boxes = Float64Array.from(kept.flatMap((a) => a.box));
  const labels = Int32Array.from(kept, (a) => a.label);
  const more = { ...(shapes && { shapes: kept.map(shapeOf) }), ...(masks && { annotations: kept }) };
  return clampBoxes({ boxes, labels, ...more }, width, height);
}

function shapeOf({ mask, keypoints }: Annotation): Shape {
  return { ...(mask && { mask }), ...(keypoints && { keypoints }) };
}

/** Clamp xyxy boxes to `[0, width] x [0, height]` and drop those without area. */
export function clampBoxes(
  { boxes, labels, shapes, annotations }: PixelBoxes,
  width: number,
  height: number,
): PixelBoxes {
  const out = new Float64Array(boxes.length);
  const kept: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    const at = 4 * kept.length;
    for (let k = 0; k < 4; k++) out[at + k] = Math.min(Math.max(boxes[4 * i + k]!, 0), k % 2 ? height : width);
    if (out[at + 2]! > out[at]! && out[at + 3]! > out[at + 1]!) kept.push(i);
  }
  return {
    boxes: out.slice(0, 4 * kept.length),
    labels: Int32Array.from(kept, (i) => labels[i]!),
    ...(shapes && { shapes: kept.map((i) => shapes[i]!) }),
    ...(annotations && { annotations: kept.map((i) => annotations[i]!) }),
  };
}

/** Pixel xyxy boxes of an image of this size as normalised cxcywh targets; keypoints outside of it are none. */
export function toTarget({ boxes, labels, shapes }: PixelBoxes, width: number, height: number): Target {
  const out = new Float32Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    const [x1, y1, x2, y2] = [boxes[i]!, boxes[i + 1]!, boxes[i + 2]!, boxes[i + 3]!];
    out[i] = (x1 + x2) / 2 / width;
    out[i + 1] = (y1 + y2) / 2 / height;
    out[i + 2] = (x2 - x1) / width;
    out[i + 3] = (y2 - y1) / height;
  }
  if (!shapes) return { boxes: out, labels };
  const placed = shapes.map((shape) =>
    placeShape(dropHiddenKeypoints(shape, width, height), [1 / width, 1 / height, 0, 0]),
  );
  return { boxes: out, labels, shapes: placed };
}

/** Boxes of each class under its key; crowd regions do not count. */
export function boxesPerClass(samples: readonly Sample[], classes: readonly ClassEntry[]): Map<string, number> {
  const keys = countKeys(classes);
  const counts = new Map(keys.map((key) => [key, 0]));
  for (const { annotations } of samples)
    for (const { label, crowd } of annotations) if (!crowd) counts.set(keys[label]!, counts.get(keys[label]!)! + 1);
  return counts;
}

/** What the boxes of each class, by label, are counted under: its name, and its id where others have the same name. */
export function countKeys(classes: readonly ClassEntry[]): string[] {
  const seen = new Map<string, number>();
  for (const { name } of classes) seen.set(name, (seen.get(name) ?? 0) + 1);
  return classes.map(({ name, categoryId }) => (seen.get(name) === 1 ? name : `${name} (id ${categoryId})`));
}
