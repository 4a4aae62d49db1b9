// A detector that stays loaded, for programs: pictures in, objects out, as often as there are pictures.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import { resizeAll } from "../../data/image/forPrediction.ts";
import type { OpenDetectorOptions } from "../../detector/detector.ts";
import { openDetector } from "../../detector/open.ts";
import { detectInParts } from "../../detector/slices/detectInParts.ts";
import type { ImageDetections } from "../../instance/detections.ts";
import type { Slices } from "../../instance/slices/layout.ts";
import { queue } from "../../util/threads/queue.ts";
import { classesNamed, type ObjectOptions, type PredictedObject, requireMeaning, toObjects } from "./objects.ts";
import { loadPicture, openPicture, type Picture } from "./picture.ts";
import { chooseThreshold, lowestScore, scoreFor, thresholdsByName } from "./threshold.ts";

/** How to load it, and what its `detect` looks for where a call does not say. */
export type LoadDetectorOptions = ObjectOptions &
  Pick<OpenDetectorOptions, "device" | "threads" | "precision" | "resolution" | "recipe" | "slices" | "onDownload"> & {
    /** Pictures of a forward pass, where `detect` is given several, or parts of one. Default 4. */
    batchSize?: number | undefined;
  };

export type LoadedDetector = {
  /** The classes that it knows: their names, and the ids and labels that objects have. */
  readonly classes: readonly ClassEntry[];
  /** The score from which objects count where a call does not say. */
  readonly threshold: number;
  /** The same by the names of the classes that have another one. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Side of the squares that pictures are resized to, in pixels. */
  readonly resolution: number;
  /** The parts in which pictures are looked at; undefined: whole ones only. */
  readonly slices: Slices | undefined;
  /** Where the weights are from, for people. */
  readonly source: string;
  /** What it runs in, with its version. */
  readonly runtime: string;
  /**
   * The objects in a picture, in falling order of score, or those of each of several pictures. Pictures are read side by
   * side; forward passes wait for each other. Throws a UserError where one cannot be read, and for a class that is not known.
   */
  detect(picture: Picture, options?: ObjectOptions): Promise<PredictedObject[]>;
  detect(pictures: readonly Picture[], options?: ObjectOptions): Promise<PredictedObject[][]>;
  /** Free the model, once what is under way is done. */
  dispose(): Promise<void>;
};

/**
 * Load a model once and detect with it many times. `weights`: a run folder, a checkpoint folder, a .safetensors, .pth or
 * .onnx file, or a published name. Results are those of `predict`. Throws a UserError where there is no such model.
 */
export async function loadDetector(weights: string, options: LoadDetectorOptions = {}): Promise<LoadedDetector> {
  const { threshold: asked = "auto", classes, maxDets, batchSize = 4, ...opening } = options;
  requireMeaning({ threshold: asked, maxDets, batchSize });
  // How many pictures will come is not known: the network is recorded as for many.
  const batches = { batchSizes: [batchSize], partsAtOnce: batchSize, batches: Number.POSITIVE_INFINITY };
  const model = await openDetector(weights, { ...opening, ...batches });
  const { slices } = model;
  const passes = queue();
  let closed: Promise<void> | undefined;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
    passes(() => {
      if (closed) throw new Error("The detector was disposed.");
      return work();
    });
  try {
    classesNamed(classes, model); // a wrong name is said now
    const usual = await chooseThreshold(asked, model);

    const nameOf = (place: number) => ({ name: `Picture ${place + 1}` });

    async function together(some: readonly Picture[], from: number, threshold: number): Promise<ImageDetections[]> {
      const images = await Promise.all(some.map((one, i) => loadPicture(one, nameOf(from + i))));
      const { pixels, sizes } = resizeAll(images, model.resolution);
      return inTurn(() => model.detect({ images: pixels, originalSizes: sizes, maskFrom: threshold }));
    }

    async function partByPart(some: readonly Picture[], from: number, threshold: number): Promise<ImageDetections[]> {
      const found: ImageDetections[] = [];
      for (const [i, one] of some.entries()) {
        const picture = await openPicture(one, nameOf(from + i));
        found.push(await inTurn(() => detectInParts(model, picture, { slices: slices!, batchSize, threshold })));
      }
      return found;
    }

    async function detectAll(pictures: readonly Picture[], own: ObjectOptions): Promise<PredictedObject[][]> {
      const wanted = classesNamed(own.classes ?? classes, model);
      const most = own.maxDets ?? maxDets;
      requireMeaning({ threshold: own.threshold, maxDets: most });
      const threshold = own.threshold === undefined ? usual : await chooseThreshold(own.threshold, model);
      const least = lowestScore(threshold);
      const results: PredictedObject[][] = [];
      for (let from = 0; from < pictures.length; from += batchSize) {
        const some = pictures.slice(from, from + batchSize);
        const found = slices ? await partByPart(some, from, least) : await together(some, from, least);
        results.push(
          ...found.map((one) => toObjects(one, wanted, (label) => scoreFor(threshold, label)).slice(0, most)),
        );
      }
      return results;
    }

    async function detect(picture: Picture, own?: ObjectOptions): Promise<PredictedObject[]>;
    async function detect(pictures: readonly Picture[], own?: ObjectOptions): Promise<PredictedObject[][]>;
    async function detect(given: Picture | readonly Picture[], own: ObjectOptions = {}) {
      if (closed) throw new Error("The detector was disposed.");
      return Array.isArray(given) ? detectAll(given, own) : (await detectAll([given as Picture], own))[0]!;
    }

    return {
      ...{ classes: model.classes, resolution: model.resolution, slices },
      ...{ threshold: usual.value, thresholds: thresholdsByName(usual, model.classes) },
      ...{ source: model.source, runtime: model.runtime, detect },
      dispose: () => {
        closed ??= passes(() => model.close());
        return closed;
      },
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}
