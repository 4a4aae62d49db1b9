// Image files to what a model takes for a prediction, in three stages.

import type { Sizes } from "../../instance/detections.ts";
import { type PartArea, partsOf, type Slices, wholeArea } from "../../instance/slices/layout.ts";
import { cutOut } from "../slices/cutOut.ts";
import { decodeBytes, type Rgb, readImageFile } from "./decode.ts";
import { resizeForPrediction } from "./resize.ts";

/**
 * `pixels` is float32 `[images, side, side, 3]`, normalised. `areas`: of each picture what its images show, all of it first, where
 * they are views of pictures.
 */
export type PreparedImages = { pixels: Float32Array; sizes: Sizes; areas?: PartArea[][] | undefined };

/** Throws a UserError naming the file. */
export function readAll(paths: readonly string[]): Promise<Uint8Array[]> {
  return Promise.all(paths.map((path) => readImageFile(path)));
}

/** Throws as `decodeBytes`. */
export function decodeAll(files: readonly Uint8Array[], paths: readonly string[]): Promise<Rgb[]> {
  return Promise.all(files.map((bytes, i) => decodeBytes(bytes, paths[i]!)));
}

/** All three stages. Throws a UserError naming an image that cannot be read. */
export async function prepareAll({
  paths,
  side,
  slices,
}: {
  paths: readonly string[];
  side: number;
  slices?: Slices | undefined;
}): Promise<PreparedImages> {
  return resizeViews(await decodeAll(await readAll(paths), paths), side, slices);
}

/** As `resizeAll`; with `slices` the parts of each picture, too. */
export function resizeViews(images: readonly Rgb[], side: number, slices: Slices | undefined): PreparedImages {
  if (!slices) return resizeAll(images, side);
  const areas = images.map(({ width, height }) => [wholeArea([height, width]), ...partsOf([height, width], slices)]);
  const views = images.flatMap((image, i) => areas[i]!.map((area, n) => (n === 0 ? image : cutOut(image, area))));
  return { ...resizeAll(views, side), areas };
}

/** As for a prediction: stretched to squares. */
export function resizeAll(images: readonly Rgb[], side: number): PreparedImages {
  const [only] = images;
  const values = side * side * 3;
  const pixels =
    images.length === 1 ? resizeForPrediction(only!, side, side) : new Float32Array(images.length * values);
  if (images.length > 1)
    for (const [i, image] of images.entries()) pixels.set(resizeForPrediction(image, side, side), i * values);
  return { pixels, sizes: images.map(({ width, height }) => [height, width]) };
}
