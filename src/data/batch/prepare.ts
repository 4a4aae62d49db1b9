// One image from its file to what the model and the loss take. A pure function of its task, so any thread may run it.

import type { Target } from "../../instance/instance.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { changeBoxes, changeImage } from "../augment/apply.ts";
import { type Augment, drawChanges } from "../augment/augment.ts";
import { type Sample, toTarget, trainingBoxes } from "../dataset/sample.ts";
import { decodeFile, type Reading } from "../image/decode.ts";
import { normalise } from "../image/resize.ts";

/** All that it takes to prepare one image; plain data, so that it can be sent to a thread. */
export type PrepareTask = {
  sample: Sample;
  reading: Reading;
  resolution: number;
  /** Null: only resize. */
  augment: Augment | null;
  /** Whether the target gets masks and keypoints. */
  shapes: boolean;
  /** Words of the random stream of this image: seed, epoch, position in the epoch. */
  words: [seed: number, ...rest: number[]];
};

/** `pixels` is float32 `[resolution, resolution, 3]`, normalised. */
export type Prepared = { pixels: Float32Array; target: Target; width: number; height: number };

/** Throws UserError naming the image file. */
export async function prepare({ sample, reading, resolution, augment, shapes, words }: PrepareTask): Promise<Prepared> {
  const image = await decodeFile(sample.path, reading);
  const { width, height } = image;
  const changes = augment ? drawChanges(rngFromSeed(...words), image, augment) : [];
  const annotated = trainingBoxes(sample.annotations, width, height, { shapes });
  const { boxes, frame } = changeBoxes(annotated, image, changes);
  const changed = changeImage(image, changes, resolution);
  const pixels = normalise(changed.image, { mirror: changed.mirrored });
  return { pixels, target: toTarget(boxes, frame.width, frame.height), width, height };
}
