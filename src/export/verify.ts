// Whether an exported file finds what the trainer's own forward finds, image by image, and what AP it has.

import type { Batch } from "../data/batch/batch.ts";
import type { ClassEntry, Sample } from "../data/dataset/sample.ts";
import type { Model } from "../detector/loadModel.ts";
import type { OnnxDetector, OnnxOutputs } from "../detector/onnx.ts";
import { evaluateModel } from "../eval/evaluate.ts";
import { type ImageDetections, rank, toPixels } from "../instance/detections.ts";
import { MAIN_METRIC } from "../instance/metrics.ts";
import { type RawOutputs, rawOutputs } from "../model/detect.ts";
import { type LabelRange, labelRange } from "./graph/decode.ts";

/**
 * What a file may differ by: boxes in parts of the image (of the box, where that is larger than the image: background may
 * have boxes of any size), logits (likewise; of a decoded file: scores), the main metric.
 */
export type Tolerance = { boxes: number; logits: number; ap: number };

export const TOLERANCE: Tolerance = { boxes: 1e-4, logits: 1e-3, ap: 1e-3 };

export type Verification = {
  images: number;
  /** Largest differences, slot by slot; of a decoded file `logits` are scores. Null where slots were not compared. */
  slots: { boxes: number; logits: number } | null;
  /**
   * Images left out of `slots`: two proposals scored so nearly alike that rounding decides which comes first, and their
   * slots differ for no other reason.
   */
  nearTies: number;
  /** Whether everything that came out of the file was a number. */
  finite: boolean;
  /** The main metric on these images; null where there are no labels. */
  ap: { trainer: number; file: number } | null;
};

export type VerifyOptions = {
  /** Images in batches that the file takes in one run. */
  batches: AsyncIterable<Batch>;
  /** For AP; left out where the images have no labels of these classes. */
  labels?: {
    samples: readonly Sample[];
    classes: readonly ClassEntry[];
    categoryOf(label: number): number | undefined;
  };
  maxDets?: number | undefined;
  /** Compare slot by slot. Off for files that round, whose slots come in another order. */
  slots: boolean;
  onImages?: ((done: number) => unknown) | undefined;
};

/** Two proposals whose scores are nearer than this may change places between one program and another. */
const TIE = 3e-5;

/** Run the trainer's forward and the file on the same images. */
export async function verify(
  model: Model,
  detector: OnnxDetector,
  { batches, labels, maxDets, slots, onImages }: VerifyOptions,
): Promise<Verification> {
  const { numSelect, numQueries: queries, numClasses } = model.architecture;
  const classes = numClasses + 1;
  const found: { batch: Pick<Batch, "imageIds" | "broken">; ours: ImageDetections[]; theirs: ImageDetections[] }[] = [];
  const worst = { boxes: 0, logits: 0 };
  let images = 0;
  let nearTies = 0;
  let finite = true;
  for await (const batch of batches) {
    const count = batch.shape[0];
    const ours = await rawOutputs(model.weights, model.architecture, batch);
    const theirs = await detector.forward(batch.images, batch.originalSizes);
    const whole = { batch: count, count: Math.min(numSelect, queries * classes) };
    const detections = {
      ours: toPixels(
        { ...rank(ours.logits, whole), boxes: ours.boxes, count: whole.count, queries, classes },
        batch.originalSizes,
      ),
      theirs: await detector.select(theirs, batch.originalSizes),
    };
    if (slots) {
      const expected = detector.decoded ? ownDecoded(model, ours, batch) : undefined;
      for (let image = 0; image < count; image++) {
        const far = expected
          ? detectionsFar(expected[image]!, detections.theirs[image]!, batch.originalSizes[image]!)
          : slotsFar(ours, theirs[0]!.outputs, { image, queries, classes });
        const within = far.boxes <= TOLERANCE.boxes && far.logits <= TOLERANCE.logits;
        if (!within && hasNearTie(ours.ranking, { image, count })) nearTies++;
        else {
          worst.boxes = larger(worst.boxes, far.boxes);
          worst.logits = larger(worst.logits, far.logits);
        }
      }
    }
    const { dets, boxes, labels: scored, scores } = theirs[0]!.outputs;
    for (const out of [dets ?? boxes, scores ?? scored])
      finite &&= (out!.data as Float32Array).every((value) => Number.isFinite(value));
    found.push({ batch: { imageIds: batch.imageIds, broken: batch.broken }, ...detections });
    images += count;
    onImages?.(images);
  }
  const apOf = async (which: "ours" | "theirs") => {
    const { samples, classes: entries, categoryOf } = labels!;
    const known = new Map(found.map((one) => [one.batch, one[which]]));
    const stored = found.map(({ batch }) => batch);
    const detect = (batch: (typeof stored)[number]) => known.get(batch)!;
    const evaluation = { detect, batches: iterate(stored), samples, classes: entries, categoryOf };
    return (await evaluateModel({ ...evaluation, ...(maxDets && { maxDets }) })).metrics[MAIN_METRIC]!;
  };
  const measured = labels ? { trainer: await apOf("ours"), file: await apOf("theirs") } : null;
  const ap = measured && measured.trainer >= 0 ? measured : null; // -1: these images have no boxes
  return { images, slots: slots && images > nearTies ? worst : null, nearTies, finite, ap };
}

/** What is wrong with a file, as the end of a sentence; undefined where it is within the tolerance. */
export function fault({ slots, finite, ap }: Verification, mostAp: number): string | undefined {
  if (!finite) return "it gives what is no number";
  if (slots && !(slots.boxes <= TOLERANCE.boxes)) {
    return `its boxes differ by up to ${slots.boxes.toPrecision(2)} of the image, ${TOLERANCE.boxes} are allowed`;
  }
  if (slots && !(slots.logits <= TOLERANCE.logits)) {
    return `its logits differ by up to ${slots.logits.toPrecision(2)}, ${TOLERANCE.logits} are allowed`;
  }
  if (ap && !(Math.abs(ap.file - ap.trainer) <= mostAp)) {
    return `its ${MAIN_METRIC} is ${ap.file.toFixed(4)} instead of ${ap.trainer.toFixed(4)}`;
  }
  return undefined;
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

/** NaN counts as the largest difference of all. */
function larger(a: number, b: number): number {
  return b > a || Number.isNaN(b) ? b : a;
}

function slotsFar(
  ours: RawOutputs,
  { dets, labels }: OnnxOutputs[number]["outputs"],
  { image, queries, classes }: { image: number; queries: number; classes: number },
): { boxes: number; logits: number } {
  const far = (mine: Float32Array, theirs: Float32Array, size: number) => {
    let most = 0;
    for (let i = image * size; i < (image + 1) * size; i++)
      most = larger(most, Math.abs(mine[i]! - theirs[i]!) / Math.max(1, Math.abs(mine[i]!)));
    return most;
  };
  return {
    boxes: far(ours.boxes, dets!.data as Float32Array, queries * 4),
    logits: far(ours.logits, labels!.data as Float32Array, queries * classes),
  };
}

function hasNearTie(ranking: Float32Array, { image, count }: { image: number; count: number }): boolean {
  const size = ranking.length / count;
  const own = ranking.subarray(image * size, (image + 1) * size);
  return own.some((score, i) => i > 0 && Math.abs(own[i - 1]! - score) < TIE);
}

/** What the trainer would find among the labels that a decoded file ranks. */
function ownDecoded(model: Model, { logits, boxes }: RawOutputs, { originalSizes, shape }: Batch): ImageDetections[] {
  const { numSelect, numQueries: queries, numClasses } = model.architecture;
  const { first, last }: LabelRange = labelRange(model.classes);
  const classes = last - first + 1;
  const kept = new Float32Array(shape[0] * queries * classes);
  for (let i = 0; i < shape[0] * queries; i++)
    kept.set(logits.subarray(i * (numClasses + 1) + first, i * (numClasses + 1) + last + 1), i * classes);
  const count = Math.min(numSelect, queries * classes);
  const ranked = rank(kept, { batch: shape[0], count });
  const found = toPixels({ ...ranked, boxes, count, queries, classes }, originalSizes);
  return found.map((one) => ({ ...one, labels: one.labels.map((label) => label + first) }));
}

/** Detections whose score is another's, too, may stand in another order; all others have to agree one by one. */
function detectionsFar(
  ours: ImageDetections,
  theirs: ImageDetections,
  [height, width]: readonly [number, number],
): { boxes: number; logits: number } {
  const far = { boxes: 0, logits: 0 };
  const count = ours.scores.length;
  if (theirs.scores.length !== count) return { boxes: Number.NaN, logits: Number.NaN };
  for (let i = 0; i < count; i++) {
    far.logits = larger(far.logits, Math.abs(ours.scores[i]! - theirs.scores[i]!));
    const apart = (j: number) => !(j in ours.scores) || Math.abs(ours.scores[j]! - ours.scores[i]!) > 1e-5;
    if (!apart(i - 1) || !apart(i + 1) || i === count - 1) continue;
    if (ours.labels[i] !== theirs.labels[i]) far.boxes = Number.NaN;
    for (let k = 0; k < 4; k++) {
      const side = k % 2 === 0 ? width : height;
      far.boxes = larger(far.boxes, Math.abs(ours.boxes[4 * i + k]! - theirs.boxes[4 * i + k]!) / side);
    }
  }
  return far;
}
