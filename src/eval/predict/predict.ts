// Objects in pictures: each image as the reference's predict prepares it, through the model, in pixels of the original.

import type { Rgb } from "../../data/image/decode.ts";
import { resizeAll } from "../../data/image/forPrediction.ts";
import { findImages } from "../../data/image/imagePaths.ts";
import { type SlicedPicture, slicedImage } from "../../data/slices/slicedPicture.ts";
import type { Detector, OpenDetectorOptions } from "../../detector/detector.ts";
import type { DownloadWatch } from "../../detector/loadModel.ts";
import { openDetector } from "../../detector/open.ts";
import { detectInParts } from "../../detector/slices/detectInParts.ts";
import type { DeviceChoice } from "../../engine/device.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import type { Recipe } from "../../recipe/schema.ts";
import { UserError } from "../../util/errors.ts";
import { uncertaintyOf } from "./labels/uncertainty.ts";
import { classesNamed, type ObjectOptions, type PredictedObject, requireMeaning, toObjects } from "./objects.ts";
import { INPUT, loadPicture, loadStream, openPicture } from "./picture.ts";
import { chooseThreshold, lowestScore, scoreFor, type Threshold } from "./threshold.ts";

export type PredictOptions = ObjectOptions & {
  /** A run folder, a checkpoint folder, a .safetensors, .pth or .onnx file, or a published name. */
  weights: string;
  /**
   * Image files, folders (with the folders in them), patterns such as "photos/*.jpg", addresses over http or https, and "-"
   * for an image that comes from `input`.
   */
  images: readonly string[];
  /** The bytes of the image that "-" stands for, such as `process.stdin`. */
  input?: AsyncIterable<Uint8Array | string> | undefined;
  /** Images a forward pass, or parts of one. Default 4. */
  batchSize?: number | undefined;
  /** In which parts images are looked at. Default: those that the weights were trained on, if any. */
  slices?: OpenDetectorOptions["slices"];
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

/**
 * What was found in one image, in falling order of score; or why it could not be read. `imageId` counts from 1. `below`: how many
 * objects more score at least half of the threshold. `uncertainty`: from 0 to 1, how near the scores are to the threshold. `size`: of an image that is too large to be given; `image` is smaller then, and
 * objects are in pixels of the large one.
 */
export type Prediction =
  | {
      imageId: number;
      file: string;
      image: Rgb;
      size?: { width: number; height: number };
      objects: PredictedObject[];
      below: number;
      uncertainty: number;
      error?: undefined;
    }
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
  requireMeaning({ threshold: asked, maxDets, batchSize });
  const { paths, missing } = await findImages(images, { streams: true });
  if (paths.length === 0) throw missing[0]?.error ?? new UserError("There are no images to predict on.");

  const { recipe, onDownload, precision = "none" } = options;
  const opening = {
    ...{ batches: Math.floor(paths.length / batchSize), batchSizes: [Math.min(batchSize, paths.length)] },
    ...{ slices: options.slices, partsAtOnce: batchSize },
  };
  const model = await openDetector(weights, { device, precision, recipe, onDownload, ...opening });
  const left = new AbortController(); // raised at the end, for pictures that are still on their way
  const { slices } = model;
  const reading = {
    ...{ input: options.input, inParts: slices !== undefined },
    signal: AbortSignal.any([left.signal, ...(signal ? [signal] : [])]),
  };
  const atOnce = slices ? 1 : batchSize; // the parts of one image are many
  try {
    const wanted = classesNamed(options.classes, model);
    const threshold = await chooseThreshold(asked, model);
    onStart?.({ model, device: model.device, images: paths.length + missing.length, threshold });
    let imageId = 0;
    for (const { file, error } of missing) yield { imageId: ++imageId, file, error };
    // Files are read, decoded and resized while the model computes the batch before them.
    const read = async (from: number) => {
      const batch = await Promise.all(paths.slice(from, from + atOnce).map((file) => load(file, reading)));
      const pictures = batch.flatMap(({ picture }) => picture ?? []);
      return { batch, pictures, ready: slices ? null : resizeAll(pictures.map(({ image }) => image), model.resolution) }; // biome-ignore format: one line
    };
    let next = read(0);
    for (let from = 0; from < paths.length; from += atOnce) {
      const { batch, pictures, ready } = await next;
      if (signal?.aborted) return;
      if (from + atOnce < paths.length) next = read(from + atOnce);
      const found: ImageDetections[] = [];
      if (slices)
        for (const one of pictures)
          found.push(await detectInParts(model, one, { slices, batchSize, threshold: lowestScore(threshold) }));
      else if (ready && pictures.length > 0)
        found.push(...(await model.detect({ images: ready.pixels, originalSizes: ready.sizes, maskFrom: lowestScore(threshold) }))); // biome-ignore format: one line
      for (const { file, picture, error } of batch) {
        imageId++;
        if (!picture) yield { imageId, file, error };
        else {
          const near = toObjects(found.shift()!, wanted, (label) => scoreFor(threshold, label) / 2);
          const objects = near.filter(({ score, label }) => score > scoreFor(threshold, label));
          const uncertainty = uncertaintyOf(near.map(({ score }) => score), (i) => scoreFor(threshold, near[i]!.label)); // biome-ignore format: one line
          const shown = { objects: objects.slice(0, maxDets), below: near.length - objects.length, uncertainty };
          yield { imageId, file, ...imageOf(picture), ...shown };
        }
      }
    }
  } finally {
    left.abort();
    await model.close();
  }
}

function imageOf({ image, size: [height, width] }: SlicedPicture) {
  return { image, ...((image.width !== width || image.height !== height) && { size: { width, height } }) };
}

type Loaded =
  | { file: string; picture: SlicedPicture; error?: undefined }
  | { file: string; picture?: undefined; error: UserError };

async function load(
  file: string,
  { input, signal, inParts }: { input: PredictOptions["input"]; signal: AbortSignal; inParts: boolean },
): Promise<Loaded> {
  try {
    const isInput = file === "-" && input !== undefined;
    const given = isInput ? await loadStream(input, { signal }) : file;
    const about = { name: isInput ? INPUT : file, signal };
    return { file, picture: inParts ? await openPicture(given, about) : slicedImage(await loadPicture(given, about)) };
  } catch (error) {
    if (signal.aborted) return { file, error: new UserError(`${file} was left out.`) };
    if (error instanceof UserError) return { file, error };
    throw error;
  }
}
