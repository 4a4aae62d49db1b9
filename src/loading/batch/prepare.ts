// The images of one batch from their files to what the model and the loss take. A pure function of its task, so any thread may run it.

import { type Sample, toTarget, trainingBoxes } from "../../data/dataset/sample.ts";
import { decodeFile, type Reading, type Rgb } from "../../data/image/decode.ts";
import { resizeNormalised } from "../../data/image/resize.ts";
import type { Target } from "../../instance/instance.ts";
import type { PolygonRule } from "../../instance/masks/maskRuns.ts";
import { UserError } from "../../util/errors.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { type Thrown, toThrown } from "../../util/threads/thread.ts";
import { changeBoxes, changeImage } from "../augment/apply.ts";
import { type Augment, drawChanges } from "../augment/augment.ts";
import { drawMasks } from "../augment/drawMasks.ts";

/** One image of a task. */
export type ImageTask = {
  sample: Sample;
  /** Side of its square, in pixels. */
  side: number;
  /** Words of the random stream of this image: seed, epoch, position in the epoch. */
  words: [seed: number, ...rest: number[]];
};

/** All that it takes to prepare some images; plain data, so that it can be sent to a thread. */
export type PrepareTask = {
  images: readonly ImageTask[];
  reading: Reading;
  /** Null: only resize. */
  augment: Augment | null;
  /** Whether targets get masks and keypoints. */
  shapes: boolean;
  /** Whether targets get the pixels of masks, and how polygons are drawn; null: none. */
  masks?: { rule?: PolygonRule | undefined } | null;
  /** Memory for the pixels, exactly as large as they are: that of a batch that is done with. Default: new memory. */
  memory?: Float32Array | undefined;
};

/** What belongs to an image, `width` and `height` being those of the file; or a UserError that names the file, where it or a mask in it cannot be read. */
type Prepared = { target: Target; width: number; height: number } | { failed: Thrown };

/** `pixels` is float32 `[images, side, side, 3]`, normalised; `side` is the largest one, and what an image does not fill is 0. */
export type PreparedBatch = { pixels: Float32Array; side: number; images: Prepared[] };

export async function prepare(task: PrepareTask): Promise<PreparedBatch> {
  const side = Math.max(...task.images.map((image) => image.side));
  const size = 3 * side * side;
  const pixels = task.memory ?? new Float32Array(task.images.length * size);
  if (task.memory && task.images.some((image) => image.side < side)) pixels.fill(0);
  const images: Prepared[] = [];
  const decode = (i: number) => {
    const { path, area } = task.images[i]!.sample;
    return decodeFile(path, { ...task.reading, area }).catch((cause: Error) => cause);
  };
  let next = decode(0);
  for (const [i, image] of task.images.entries()) {
    const decoded = await next;
    if (i + 1 < task.images.length) next = decode(i + 1); // in a thread of sharp's, while this one computes
    if (decoded instanceof UserError) images.push({ failed: toThrown(decoded) });
    else if (decoded instanceof Error) throw decoded;
    else images.push(filled(pixels.subarray(i * size, (i + 1) * size), decoded, { image, task, stride: 3 * side }));
  }
  return { pixels, side, images };
}

/** One image, or that a mask in it cannot be used. */
function filled(...[out, decoded, about]: Parameters<typeof fill>): Prepared {
  try {
    return fill(out, decoded, about);
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    return { failed: toThrown(cause) };
  }
}

/** Write the pixels of one image into its place of the batch. */
function fill(
  out: Float32Array,
  decoded: Rgb,
  { image, task, stride }: { image: ImageTask; task: PrepareTask; stride: number },
): Prepared {
  const { width, height } = image.sample.area ?? decoded; // a very large area comes smaller than it is
  const { augment, shapes, masks } = task;
  const annotated = trainingBoxes(image.sample.annotations, width, height, { shapes, masks: true });
  const about = { side: image.side, boxes: annotated, frame: { width, height } };
  const changes = augment ? drawChanges(rngFromSeed(...image.words), decoded, { augment, ...about }) : [];
  const { boxes, frame } = changeBoxes(annotated, { width, height }, changes);
  const drawn = { size: { width, height }, changes, side: image.side, rule: masks?.rule, file: image.sample.path };
  const pixels = masks && drawMasks(boxes.annotations!, drawn);
  const changed = changeImage(decoded, changes);
  resizeNormalised(changed.image, image.side, { out, stride, mirror: changed.mirrored });
  const target = { ...toTarget(boxes, frame.width, frame.height), ...(pixels && { masks: pixels }) };
  return { target, width, height };
}
