// What a page lets people look through: validation pictures, small, and what an evaluation found in them.

import { join } from "node:path";
import { isNumbers, isObject } from "../../util/untrusted/json.ts";
import { RUN_FILES, runFiles } from "../files.ts";
import { readJsonObject } from "../json.ts";

/** A validation picture; `width` and `height` are those of its file in pixels, `jpeg` a small copy's bytes in base64. */
export type Thumbnail = { image: string; width: number; height: number; jpeg: string };

/** thumbnails.json: the pictures that evaluations of a run show; always the same ones. */
export type Thumbnails = { format: 1; pictures: ({ imageId: number } & Thumbnail)[] };

/** An object of a class, by its place in `classes`; a box in pixels. */
export type BrowsedTruth = [kind: number, x: number, y: number, width: number, height: number];

/**
 * A detection. `found`: the object of its class that it found; `near`: an object of its class that it overlaps too little to
 * have found it; -1: none. `crowd`: 1 where it lies in a crowd and is no false alarm. Then objects of other classes that it may be
 * taken for, each with the overlap. All of them whatever the confidence that is asked for: detections below it just do not count.
 */
export type BrowsedDetection = [
  kind: number,
  score: number,
  x: number,
  y: number,
  width: number,
  height: number,
  found: number,
  near: number,
  crowd: number,
  ...others: number[],
];

/** Objects of a picture, and detections, best-scored first. */
export type BrowsedObjects = { truths: BrowsedTruth[]; detections: BrowsedDetection[] };

/** objects.json of an evaluation: of each of the pictures of thumbnails.json, in their order. */
export type ObjectsRecord = {
  format: 1;
  classes: string[];
  /** Detections that score less are left out. */
  floor: number;
  pictures: BrowsedObjects[];
};

export type PictureBrowser = Pick<ObjectsRecord, "classes" | "floor"> & { pictures: (Thumbnail & BrowsedObjects)[] };

/** The name of an evaluation's record, in the folder of its pictures. */
export const OBJECTS_FILE = "objects.json";

/** Pictures that a page has at most. */
export const MOST_BROWSED = 500;

/** The thumbnails of a run; null where there are none that can be used. */
export async function readThumbnails(dir: string): Promise<Thumbnails | null> {
  const record = await readJsonObject<Thumbnails>(runFiles(dir).thumbnails);
  if (record?.format !== 1 || !Array.isArray(record.pictures)) return null;
  return record.pictures.length <= MOST_BROWSED && record.pictures.every((one) => isThumbnail(one)) ? record : null;
}

/** Pictures and objects of the evaluation after `step` updates; null where they are not there, or not whole. */
export async function readPictureBrowser(dir: string, step: number): Promise<PictureBrowser | null> {
  const [small, record] = await Promise.all([
    readThumbnails(dir),
    readJsonObject<ObjectsRecord>(join(dir, RUN_FILES.pictures, String(step), OBJECTS_FILE)),
  ]);
  if (!small || record?.format !== 1 || !isWhole(record) || record.pictures.length !== small.pictures.length)
    return null;
  const { classes, floor, pictures } = record;
  return {
    ...{ classes, floor },
    pictures: small.pictures.map(({ image, width, height, jpeg }, i) => {
      return { image, width, height, jpeg, truths: pictures[i]!.truths, detections: pictures[i]!.detections };
    }),
  };
}

/** Whether a value is a small picture, its bytes at most `most` characters of base64. */
export function isThumbnail(one: unknown, most = 40_000): one is { imageId: number } & Thumbnail {
  if (!isObject(one)) return false;
  return (
    typeof one.image === "string" &&
    [one.imageId, one.width, one.height].every(Number.isSafeInteger) &&
    typeof one.jpeg === "string" &&
    one.jpeg.length <= most &&
    /^\/9j\/[A-Za-z0-9+/]+={0,2}$/.test(one.jpeg)
  );
}

function isWhole({ classes, floor, pictures }: ObjectsRecord): boolean {
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === "string")) return false;
  if (typeof floor !== "number" || !Array.isArray(pictures)) return false;
  return pictures.every(
    (one) =>
      isObject(one) && areTruths(one.truths, classes) && areDetections(one.detections, { classes, truths: one.truths }),
  );
}

/** Whether a value is a list of objects of these classes. */
export function areTruths(value: unknown, classes: readonly string[]): value is BrowsedTruth[] {
  if (!Array.isArray(value)) return false;
  return value.every((truth) => isNumbers(truth) && truth.length === 5 && isPlace(truth[0], classes));
}

/** Whether a value is a list of detections of these classes, which name no objects but these. */
export function areDetections(
  value: unknown,
  { classes, truths }: { classes: readonly string[]; truths: readonly BrowsedTruth[] },
): value is BrowsedDetection[] {
  if (!Array.isArray(value)) return false;
  return value.every((detection) => {
    if (!isNumbers(detection) || detection.length < 9 || detection.length % 2 === 0) return false;
    const others = detection.slice(9).filter((_, i) => i % 2 === 0);
    const named = [detection[6]!, detection[7]!, ...others];
    return isPlace(detection[0], classes) && named.every((g) => g === -1 || isPlace(g, truths));
  });
}

/** Whether a number is a place in a list. */
function isPlace(place: unknown, list: readonly unknown[]): boolean {
  return Number.isSafeInteger(place) && list[place as number] !== undefined;
}
