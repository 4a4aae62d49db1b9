// One image from its file to what the model and the loss take. A pure function of its task, so any thread may run it.

import type { Target } from "../../instance/instance.ts";
import { rngFromSeed } from "../../util/rng.ts";
import { type Augment, drawGeometry, type Geometry, transformBoxes, transformImage } from "../augment/augment.ts";
import { type Sample, toTarget, trainingBoxes } from "../dataset/sample.ts";
import { decodeFile } from "../image/decode.ts";
import { normalise } from "../image/resize.ts";

/** All that it takes to prepare one image; plain data, so that it can be sent to a thread. */
export type PrepareTask = {
  sample: Sample;
  /** The folder that the image may not lie outside of. */
  folder: string;
  resolution: number;
  /** Null: only resize. */
  augment: Augment | null;
  /** Words of the random stream of this image: seed, epoch, position in the epoch. */
  words: [seed: number, ...rest: number[]];
};

/** `pixels` is float32 `[resolution, resolution, 3]`, normalised. */
export type Prepared = { pixels: Float32Array; target: Target; width: number; height: number };

const PLAIN: Geometry = { jitter: null, flip: false };

/** Throws UserError naming the image file. */
export async function prepare({ sample, folder, resolution, augment, words }: PrepareTask): Promise<Prepared> {
  const image = await decodeFile(sample.path, { within: folder });
  const { width, height } = image;
  const geometry = augment ? drawGeometry(rngFromSeed(...words), image, augment) : PLAIN;
  const { boxes, frame } = transformBoxes(trainingBoxes(sample.annotations, width, height), image, geometry);
  const pixels = normalise(transformImage(image, geometry, resolution), undefined, geometry.flip);
  return { pixels, target: toTarget(boxes, frame.width, frame.height), width, height };
}
