// fixed-pictures.json: a few validation pictures that are always the same, and what each evaluation of a run found in them.

import { isNumbers, isObject } from "../../util/untrusted/json.ts";
import type { MetricsRow } from "../events.ts";
import { runFiles } from "../files.ts";
import { readJsonObject } from "../json.ts";
import { areDetections, areTruths, type BrowsedDetection, type BrowsedTruth, isThumbnail, type Thumbnail } from "./browser.ts"; // biome-ignore format: one line

/** Corners of a mask's outline, `[x, y, x, y, ...]` in pixels of the file; empty where there is no mask. */
export type MaskCorners = number[];

/** A picture and what is annotated in it; of a segmenter with an outline for each object. */
export type FixedPicture = { imageId: number } & Thumbnail & { truths: BrowsedTruth[]; outlines?: MaskCorners[] };

/** What was found in a picture, best-scored first; of a segmenter with an outline for each detection. */
export type FixedFindings = { detections: BrowsedDetection[]; outlines?: MaskCorners[] };

/** An evaluation; `threshold`: the confidence from which detections counted there. `pictures` are in the order of the record's. */
export type FixedEvaluation = { step: number; epoch: number; threshold: number; pictures: FixedFindings[] };

export type FixedPictures = {
  format: 1;
  classes: string[];
  pictures: FixedPicture[];
  /** In the order of their steps. */
  evaluations: FixedEvaluation[];
};

/** Pictures of a run, detections of one of them in an evaluation, evaluations, and numbers in all of these together. */
export const MOST_FIXED = 6;
export const MOST_FOUND = 60;
const MOST_EVALUATIONS = 300;
const MOST_NUMBERS = 110_000;

/** Characters of a picture's base64, and numbers of an outline. */
const LONGEST_PICTURE = 60_000;
export const MOST_OUTLINE = 80;

/** The record of a run's folder; null where there is none that can be used. */
export async function readFixedPictures(dir: string): Promise<FixedPictures | null> {
  const record = await readJsonObject<FixedPictures>(runFiles(dir).fixedPictures);
  return record?.format === 1 && isWhole(record) ? record : null;
}

/** Without evaluations that metrics.jsonl does not have, such as after a rollback. */
export function withRows(record: FixedPictures, rows: readonly MetricsRow[]): FixedPictures {
  const known = new Set(rows.filter(({ split }) => split === "val").map(({ step }) => step));
  return { ...record, evaluations: record.evaluations.filter(({ step }) => known.has(step)) };
}

/**
 * As many evaluations as a record has room for, spread over the run: of too many, those go that leave the smallest gap; the first
 * and the last one stay.
 */
export function withinBounds(evaluations: readonly FixedEvaluation[]): FixedEvaluation[] {
  const kept = [...evaluations];
  const sizes = kept.map(numbersOf);
  let total = sizes.reduce((sum, size) => sum + size, 0);
  while (kept.length > 2 && (kept.length > MOST_EVALUATIONS || total > MOST_NUMBERS)) {
    let [place, least] = [1, Number.POSITIVE_INFINITY];
    for (let i = 1; i < kept.length - 1; i++) {
      const gap = kept[i + 1]!.step - kept[i - 1]!.step;
      if (gap < least) [place, least] = [i, gap];
    }
    total -= sizes[place]!;
    kept.splice(place, 1);
    sizes.splice(place, 1);
  }
  return kept;
}

function numbersOf({ pictures }: FixedEvaluation): number {
  const lists = pictures.flatMap(({ detections, outlines = [] }) => [...detections, ...outlines]);
  return lists.reduce((sum, { length }) => sum + length, 4);
}

function isWhole({ classes, pictures, evaluations }: FixedPictures): boolean {
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === "string")) return false;
  if (!Array.isArray(pictures) || pictures.length > MOST_FIXED || !Array.isArray(evaluations)) return false;
  if (evaluations.length > MOST_EVALUATIONS) return false;
  return (
    pictures.every((one) => isPicture(one, classes)) &&
    evaluations.every((one) => isEvaluation(one, { classes, pictures }))
  );
}

function isPicture(one: FixedPicture, classes: readonly string[]): boolean {
  return isThumbnail(one, LONGEST_PICTURE) && areTruths(one.truths, classes) && areOutlines(one.outlines, one.truths);
}

function isEvaluation(
  one: FixedEvaluation,
  { classes, pictures }: Pick<FixedPictures, "classes" | "pictures">,
): boolean {
  if (!isObject(one) || !Array.isArray(one.pictures) || one.pictures.length !== pictures.length) return false;
  if (![one.step, one.epoch].every(Number.isSafeInteger) || typeof one.threshold !== "number") return false;
  return one.pictures.every((found, i) => {
    if (!isObject(found) || !areDetections(found.detections, { classes, truths: pictures[i]!.truths })) return false;
    return found.detections.length <= MOST_FOUND && areOutlines(found.outlines, found.detections);
  });
}

/** Whether there are none, or one for each. */
function areOutlines(value: unknown, of: readonly unknown[]): boolean {
  if (value === undefined) return true;
  if (!Array.isArray(value) || value.length !== of.length) return false;
  return value.every((one) => isNumbers(one) && one.length <= MOST_OUTLINE && one.length % 2 === 0);
}
