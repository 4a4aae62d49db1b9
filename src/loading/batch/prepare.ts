// The images of one batch from their files to what the model and the loss take. A pure function of its task, so any thread may run it.

import { type Sample, toTarget, trainingBoxes } from "../../data/dataset/sample.ts";
import { decodeFile, type Reading, type Rgb } from "../../data/image/decode.ts";
import { releaseBytes } from "../../data/image/pillow/addon.ts";
import { resizeNormalised } from "../../data/image/resize.ts";
import type { MaskPixels, Target } from "../../instance/instance.ts";
import type { PolygonRule } from "../../instance/masks/maskRuns.ts";
import { giveBytes } from "../../util/arrays/spareBytes.ts";
import { UserError } from "../../util/errors.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { type Thrown, toThrown } from "../../util/threads/thread.ts";
import { changeBoxes } from "../augment/apply.ts";
import type { Augment } from "../augment/augment.ts";
import { drawMasks, drawTogether } from "../augment/drawMasks.ts";
import { drawLayers, type Layer, partnersTaken, type Source, some } from "../augment/many/layers.ts";
import { paint } from "../augment/many/paint.ts";
import type { Change, Size } from "../augment/step.ts";

/** One image of a task. */
export type ImageTask = {
  sample: Sample;
  /** Side of its square, in pixels. */
  side: number;
  /** Words of the random stream of this image: seed, epoch, position in the epoch. */
  words: [seed: number, ...rest: number[]];
  /** Other images that its augmentations may take. */
  partners: readonly Sample[];
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

/** What belongs to an image, `width` and `height` being those of the file; or a UserError that names the file, where it or a mask in it cannot be read; `partner`: the id of the image that this is about, where it is another one. */
type Prepared = { target: Target; width: number; height: number } | { failed: Thrown; partner?: number };

/** `pixels` is float32 `[images, side, side, 3]`, normalised; `side` is the largest one, and what an image does not fill is 0. */
export type PreparedBatch = { pixels: Float32Array; side: number; images: Prepared[] };

export async function prepare(task: PrepareTask): Promise<PreparedBatch> {
  const side = Math.max(...task.images.map((image) => image.side));
  const size = 3 * side * side;
  const pixels = task.memory ?? new Float32Array(task.images.length * size);
  if (task.memory && task.images.some((image) => image.side < side)) pixels.fill(0);
  const images: Prepared[] = [];
  const lists = task.images.map((image) => taken(image, task.augment));
  const reader = sharedReader(task.reading);
  reader.ahead(lists[0]![0]!);
  for (const [i, image] of task.images.entries()) {
    const read = await Promise.all(lists[i]!.map(reader.read));
    const later = lists.slice(i + 1);
    if (later[0]) reader.ahead(later[0][0]!); // in a thread of sharp's, while this one computes
    const broken = read.findIndex((one) => one.pixels instanceof UserError);
    const about = { image, task, stride: 3 * side };
    if (broken < 0) images.push(filled(pixels.subarray(i * size, (i + 1) * size), read as Read[], about));
    else images.push(failure(read[broken]!.pixels as UserError, broken > 0 ? read[broken]!.sample : undefined));
    reader.keep(later.flat());
  }
  return { pixels, side, images };
}

/** The image, and its partners; those that are not needed are the image itself. */
function taken({ sample, partners, words }: ImageTask, augment: Augment | null): Sample[] {
  if (!augment || partners.length === 0) return [sample];
  const wanted = partnersTaken(rngFromSeed(...words), augment);
  return [sample, ...partners.map((one, i) => (wanted.has(i + 1) ? one : sample))];
}

/** A picture of a file. */
type Read = { sample: Sample; pixels: Rgb };

/** Reads each picture once, however many images take it. */
function sharedReader(reading: Reading) {
  const pictures = new Map<string, Promise<Rgb | UserError>>();
  const keyOf = ({ path, area }: Sample) => JSON.stringify([path, area]);
  const decode = (sample: Sample) => {
    const found = pictures.get(keyOf(sample));
    if (found) return found;
    const picture = decodeFile(sample.path, { ...reading, area: sample.area }).catch((cause: Error) => {
      if (cause instanceof UserError) return cause;
      throw cause;
    });
    picture.catch(() => {}); // it is thrown when its turn comes
    pictures.set(keyOf(sample), picture);
    return picture;
  };
  return {
    read: async (sample: Sample): Promise<{ sample: Sample; pixels: Rgb | UserError }> => {
      return { sample, pixels: await decode(sample) };
    },
    ahead: (sample: Sample) => void decode(sample),
    /** Gives back the memory of all others. */
    keep: (samples: readonly Sample[]) => {
      const kept = new Set(samples.map(keyOf));
      for (const [key, picture] of pictures) {
        if (kept.has(key)) continue;
        pictures.delete(key);
        void picture.then((one) => one instanceof UserError || releaseBytes(one.data), () => {}); // biome-ignore format: one line
      }
    },
  };
}

/** One image with its partners, or that a mask in one of them cannot be used. */
function filled(
  out: Float32Array,
  sources: readonly Read[],
  about: { image: ImageTask; task: PrepareTask; stride: number },
): Prepared {
  let busy = 0;
  try {
    return fill(out, sources, { ...about, at: (source) => (busy = source) });
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    return failure(cause, busy === 0 ? undefined : sources[busy]!.sample);
  }
}

/** `partner`: the one that is broken, where it is not the image itself. */
function failure(cause: UserError, partner: Sample | undefined): Prepared {
  return { failed: toThrown(cause), ...(partner && { partner: partner.imageId }) };
}

/** Write the pixels of one image into its place of the batch. `at`: is called with the source whose masks are drawn. */
function fill(
  out: Float32Array,
  read: readonly Read[],
  { image, task, stride, at }: { image: ImageTask; task: PrepareTask; stride: number; at: (source: number) => void },
): Prepared {
  const { augment, shapes, masks } = task;
  const first = sourceOf(read[0]!, shapes);
  const sources = read.map((one) => (one.sample === read[0]!.sample ? first : sourceOf(one, shapes)));
  const { acts, layers } = augment
    ? drawLayers(rngFromSeed(...image.words), sources, { augment, side: image.side })
    : { acts: [], layers: [{ source: 0, changes: [] }] };
  const drawing = (source: number, changes: readonly Change[]) => {
    at(source);
    const { path: file } = read[source]!.sample;
    return { size: sources[source]!.frame, changes, side: image.side, rule: masks?.rule, file };
  };
  const targets = layers.map(({ source, changes, only }: Layer) => {
    const { boxes, frame } = changeBoxes(some(sources[source]!.boxes, only), sources[source]!.frame, changes);
    const pixels = masks && drawMasks(boxes.annotations!, drawing(source, changes));
    return { ...toTarget(boxes, frame.width, frame.height), ...(pixels && { masks: pixels }) };
  });
  const painted = paint(acts, {
    pixels: (source) => read[source]!.pixels,
    masks: (source, only, resize) =>
      drawTogether(some(sources[source]!.boxes, only).annotations!, drawing(source, [resize])),
  });
  resizeNormalised(painted.image, image.side, { out, stride, mirror: painted.mirrored });
  if (painted.image.data !== read[0]!.pixels.data) giveBytes(painted.image.data);
  return { target: together(targets), ...sources[0]!.frame };
}

function sourceOf({ sample, pixels }: Read, shapes: boolean): Source {
  const frame = sizeOf(sample.area ?? pixels); // a very large area comes smaller than it is
  const boxes = trainingBoxes(sample.annotations, frame.width, frame.height, { shapes, masks: true });
  return { size: sizeOf(pixels), frame, boxes };
}

function sizeOf({ width, height }: Size): Size {
  return { width, height };
}

/** The objects of several pictures as those of one. */
function together(targets: readonly Target[]): Target {
  if (targets.length === 1) return targets[0]!;
  const [{ shapes, masks }] = targets as [Target];
  return {
    boxes: Float32Array.from(targets.flatMap(({ boxes }) => [...boxes])),
    labels: Int32Array.from(targets.flatMap(({ labels }) => [...labels])),
    ...(shapes && { shapes: targets.flatMap((one) => one.shapes!) }),
    ...(masks && { masks: joined(targets.map((one) => one.masks!)) }),
  };
}

function joined(masks: readonly MaskPixels[]): MaskPixels {
  const pixels = new Uint8Array(masks.reduce((sum, one) => sum + one.pixels.length, 0));
  let at = 0;
  for (const one of masks) {
    pixels.set(one.pixels, at);
    at += one.pixels.length;
  }
  return { size: masks[0]!.size, pixels, present: Uint8Array.from(masks.flatMap(({ present }) => [...present])) };
}
