// Objects in pictures: each image as the reference's predict prepares it, through the model, in pixels of the original.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import { decodeFile, type Rgb } from "../../data/image/decode.ts";
import { resizeAll } from "../../data/image/forPrediction.ts";
import { findImages } from "../../data/image/imagePaths.ts";
import type { Detector, OpenDetectorOptions } from "../../detector/detector.ts";
import type { DownloadWatch } from "../../detector/loadModel.ts";
import { openDetector } from "../../detector/open.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { chooseThreshold, type Threshold } from "./threshold.ts";

export type PredictOptions = {
  /** A run folder, a checkpoint folder, a .safetensors, .pth or .onnx file, or a published name. */
  weights: string;
  /** Image files, folders (with the folders in them) and patterns such as "photos/*.jpg". */
  images: readonly string[];
  /**
   * Detections of a higher score than this are kept. `auto` (default): the threshold of the best F1 that the run itself
   * found with these weights, or that an exported file has; 0.5 where there is none.
   */
  threshold?: number | "auto" | undefined;
  /** Names of the classes that are looked for. Default: all. */
  classes?: readonly string[] | undefined;
  /** The most detections an image. Default: the model's own number. */
  maxDets?: number | undefined;
  /** Images a forward pass. Default 4. */
  batchSize?: number | undefined;
  device?: DeviceChoice | undefined;
  /** What weights are computed in. Default "none", float32. */
  precision?: OpenDetectorOptions["precision"];
  /** The recipe that the weights were trained with, where they do not tell their architecture. */
  recipe?: Recipe | undefined;
  /** Ends the iteration before the next batch. */
  signal?: AbortSignal | undefined;
  /** Called once the model is there, before the first image. */
  onStart?:
    | ((about: { model: Detector; device: Detector["device"]; images: number; threshold: Threshold }) => void)
    | undefined;
  onDownload?: DownloadWatch | undefined;
};

/** One object. `box`: xyxy in pixels of the original image, clipped to it. `categoryId`: the id that the data set uses. */
export type PredictedObject = {
  box: [x1: number, y1: number, x2: number, y2: number];
  score: number;
  label: number;
  categoryId: number;
  name: string;
};

/**
 * What was found in one image, in falling order of score; or why it could not be read. `imageId` counts from 1. `below`: how many
 * objects more score at least half of the threshold.
 */
export type Prediction =
  | { imageId: number; file: string; image: Rgb; objects: PredictedObject[]; below: number; error?: undefined }
  | { imageId: number; file: string; error: UserError };

/**
 * Detect objects in images. Yields a result for each image in the order given, one that cannot be read included; the
 * arguments that lead to no image come first. Labels that are no class of the model are left out.
 * Throws a UserError where there is no image at all, or the model cannot be loaded.
 */
export async function* predict(options: PredictOptions): AsyncGenerator<Prediction, void, undefined> {
  const {
    weights,
    images,
    threshold: asked = "auto",
    maxDets,
    batchSize = 4,
    device = "auto",
    signal,
    onStart,
  } = options;
  if (asked !== "auto" && !(asked >= 0 && asked <= 1))
    throw new UserError(`threshold is ${asked}; it must lie from 0 to 1.`);
  for (const [name, value] of Object.entries({ maxDets, batchSize }))
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new UserError(`${name} is ${value}; it must be a whole number from 1.`);
  const { paths, missing } = await findImages(images);
  if (paths.length === 0) throw missing[0]?.error ?? new UserError("There are no images to predict on.");

  const { recipe, onDownload, precision = "none" } = options;
  const opening = { batches: Math.floor(paths.length / batchSize), batchSizes: [Math.min(batchSize, paths.length)] };
  const model = await openDetector(weights, { device, precision, recipe, onDownload, ...opening });
  try {
    const wanted = classesNamed(options.classes, model);
    const threshold = await chooseThreshold(asked, model);
    onStart?.({ model, device: model.device, images: paths.length + missing.length, threshold });
    let imageId = 0;
    for (const { file, error } of missing) yield { imageId: ++imageId, file, error };
    // Files are read, decoded and resized while the model computes the batch before them.
    const read = async (from: number) => {
      const batch = await Promise.all(paths.slice(from, from + batchSize).map(load));
      const images = batch.flatMap(({ image }) => image ?? []);
      return { batch, ...resizeAll(images, model.resolution) };
    };
    let next = read(0);
    for (let from = 0; from < paths.length; from += batchSize) {
      const { batch, pixels, sizes } = await next;
      if (signal?.aborted) return;
      if (from + batchSize < paths.length) next = read(from + batchSize);
      const found = sizes.length === 0 ? [] : await model.detect({ images: pixels, originalSizes: sizes });
      for (const { file, image, error } of batch) {
        imageId++;
        if (!image) yield { imageId, file, error };
        else {
          const near = toObjects(found.shift()!, wanted, threshold.value / 2);
          const objects = near.filter(({ score }) => score > threshold.value);
          yield { imageId, file, image, objects: objects.slice(0, maxDets), below: near.length - objects.length };
        }
      }
    }
  } finally {
    await model.close();
  }
}

type Loaded = { file: string; image: Rgb; error?: undefined } | { file: string; image?: undefined; error: UserError };

async function load(file: string): Promise<Loaded> {
  try {
    return { file, image: await decodeFile(file) };
  } catch (error) {
    if (error instanceof UserError) return { file, error };
    throw error;
  }
}

/** The classes of a model that have these names, or all of them. Throws a UserError for a name that none has. */
function classesNamed(names: readonly string[] | undefined, { classes }: Detector): ClassEntry[] {
  for (const name of names ?? []) {
    if (classes.some((one) => one.name === name)) continue;
    const known = classes.map((one) => one.name);
    const meant = closest(name, known);
    throw new UserError(`The model has no class "${name}".${meant ? ` Did you mean "${meant}"?` : ""}`, {
      hint: `Its classes: ${known.slice(0, 30).join(", ")}${known.length > 30 ? ", ..." : ""}.`,
    });
  }
  return names === undefined ? [...classes] : classes.filter(({ name }) => names.includes(name));
}

function toObjects(
  { boxes, scores, labels }: ImageDetections,
  classes: readonly ClassEntry[],
  threshold: number,
): PredictedObject[] {
  const byLabel = new Map(classes.map((entry) => [entry.label, entry]));
  return Array.from(labels).flatMap((label, i) => {
    const known = byLabel.get(label);
    const score = scores[i]!;
    if (!known || !(score > threshold)) return [];
    const box = [...boxes.subarray(4 * i, 4 * i + 4)] as PredictedObject["box"];
    return [{ box, score, label, categoryId: known.categoryId, name: known.name }];
  });
}
