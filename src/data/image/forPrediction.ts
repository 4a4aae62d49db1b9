// Image files to what a model takes for a prediction, in three stages.

import type { Sizes } from "../../instance/detections.ts";
import { decodeBytes, type Rgb, readImageFile } from "./decode.ts";
import { resizeForPrediction } from "./resize.ts";

/** `pixels` is float32 `[images, side, side, 3]`, normalised. */
export type PreparedImages = { pixels: Float32Array; sizes: Sizes };

/** Throws a UserError naming the file. */
export function readAll(paths: readonly string[]): Promise<Uint8Array[]> {
  return Promise.all(paths.map((path) => readImageFile(path)));
}

/** Throws as `decodeBytes`. */
export function decodeAll(files: readonly Uint8Array[], paths: readonly string[]): Promise<Rgb[]> {
  return Promise.all(files.map((bytes, i) => decodeBytes(bytes, paths[i]!)));
}

/** All three stages. Throws a UserError naming an image that cannot be read. */
export async function prepareAll({ paths, side }: { paths: readonly string[]; side: number }): Promise<PreparedImages> {
  return resizeAll(await decodeAll(await readAll(paths), paths), side);
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
