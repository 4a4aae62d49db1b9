// Whether an exported file finds what the trainer's own forward finds, image by image, and what AP it has.

import type { ClassEntry, Sample, Split } from "../../data/dataset/sample.ts";
import type { Model } from "../../detector/loadModel.ts";
import type { OnnxDetector } from "../../detector/onnx.ts";
import type { OnnxOutputs } from "../../detector/onnxOutputs.ts";
import { evaluateModel } from "../../eval/evaluate.ts";
import { bestDetections, type ImageDetections } from "../../instance/detections.ts";
import { MAIN_METRIC, MASK_METRIC } from "../../instance/metrics.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import { type RawOutputs, rawOutputs } from "../../model/detect.ts";
import { allFinite } from "../../util/hostTensor.ts";
import { detectionsFar, hasNearTie, larger, ownDecoded, type SlotDifference, slotsFar } from "./slots.ts";

/**
 * What a file may differ by: boxes in parts of the image (of the box, where that is larger than the image: background may
 * have boxes of any size), logits (likewise; of a decoded file: scores), masks' logits (likewise; of a decoded file: parts of the
 * image), the main metrics.
 */
export type Tolerance = { boxes: number; logits: number; masks: number; ap: number };

export const TOLERANCE: Tolerance = { boxes: 1e-4, logits: 1e-3, masks: 1e-2, ap: 1e-3 };

export type Verification = {
  images: number;
  /** Largest differences, slot by slot. Null where slots were not compared. */
  slots: SlotDifference | null;
  /**
   * Images left out of `slots`: two proposals scored so nearly alike that rounding decides which comes first, and their
   * slots differ for no other reason.
   */
  nearTies: number;
  /** Whether everything that came out of the file was a number. */
  finite: boolean;
  /** The main metric on these images; null where there are no labels. `maskAp`: of a segmenter, that of masks. */
  ap: Compared | null;
  maskAp?: Compared | null;
};

type Compared = { trainer: number; file: number };

export type VerifyOptions = {
  /** Images in batches that the file takes in one run. */
  batches: AsyncIterable<Batch>;
  /** For AP; left out where the images have no labels of these classes. */
  labels?: {
    samples: readonly Sample[];
    classes: readonly ClassEntry[];
    categoryOf(label: number): number | undefined;
    polygons?: Split["polygons"];
  };
  maxDets?: number | undefined;
  /** Compare slot by slot. Off for files that round, whose slots come in another order. */
  slots: boolean;
  onImages?: ((done: number) => unknown) | undefined;
};

/** What both have found in the images of a batch. */
type Found = {
  batch: Pick<Batch, "imageIds" | "broken" | "originalSizes">;
  ours: ImageDetections[];
  theirs: ImageDetections[];
};

/** Run the trainer's forward and the file on the same images. */
export async function verify(
  model: Model,
  detector: OnnxDetector,
  { batches, labels, maxDets, slots, onImages }: VerifyOptions,
): Promise<Verification> {
  const found: Found[] = [];
  const worst: SlotDifference = { boxes: 0, logits: 0, ...(model.architecture.segmentationHead && { masks: 0 }) };
  let images = 0;
  let nearTies = 0;
  let finite = true;
  for await (const batch of batches) {
    const { imageIds, broken, originalSizes } = batch;
    const ours = await rawOutputs(model.weights, model.architecture, batch);
    const theirs = await detector.forward(batch.images, originalSizes);
    const detections = {
      ours: detectionsOf(model, ours, originalSizes),
      theirs: await detector.select(theirs, originalSizes),
    };
    const differences = slots ? differencesOf(model, detector, { batch, ours, theirs, found: detections.theirs }) : [];
    for (const far of differences) {
      if (far === "near tie") nearTies++;
      else for (const [name, value] of Object.entries(far)) raise(worst, name as keyof SlotDifference, value);
    }
    finite &&= allNumbers(theirs);
    found.push({ batch: { imageIds, broken, originalSizes }, ...detections });
    images += batch.shape[0];
    onImages?.(images);
  }
  const aps = labels ? await comparedAps(found, labels, maxDets) : { ap: null };
  return { images, slots: slots && images > nearTies ? worst : null, nearTies, finite, ...aps };
}

function raise(worst: SlotDifference, name: keyof SlotDifference, value: number): void {
  worst[name] = larger(worst[name] ?? 0, value);
}

function detectionsOf({ architecture }: Model, raw: RawOutputs, sizes: Batch["originalSizes"]): ImageDetections[] {
  const { numSelect, numQueries: queries, numClasses } = architecture;
  return bestDetections({ ...raw, queries, classes: numClasses + 1 }, sizes, { most: numSelect });
}

/** How far each image's slots are off. */
function differencesOf(
  model: Model,
  detector: OnnxDetector,
  { batch, ours, theirs, found }: { batch: Batch; ours: RawOutputs; theirs: OnnxOutputs; found: ImageDetections[] },
): (SlotDifference | "near tie")[] {
  const count = batch.shape[0];
  const { numQueries: queries, numClasses } = model.architecture;
  const expected = detector.decoded ? ownDecoded(model, ours, batch) : undefined;
  return Array.from({ length: count }, (_, image) => {
    const far = expected
      ? detectionsFar(expected[image]!, found[image]!, batch.originalSizes[image]!)
      : slotsFar(ours, theirs[0]!.outputs, { image, queries, classes: numClasses + 1 });
    const within =
      far.boxes <= TOLERANCE.boxes && far.logits <= TOLERANCE.logits && !(far.masks && !(far.masks <= TOLERANCE.masks));
    return !within && hasNearTie(ours.ranking, { image, count }) ? "near tie" : far;
  });
}

function allNumbers([run]: OnnxOutputs): boolean {
  const { dets, boxes, labels, scores, masks } = run!.outputs;
  return [dets ?? boxes, scores ?? labels, masks].every(
    (out) => !(out?.data instanceof Float32Array) || allFinite(out.data),
  );
}

/** -1 is nothing that could be found. */
async function comparedAps(
  found: readonly Found[],
  { samples, classes, categoryOf, polygons }: NonNullable<VerifyOptions["labels"]>,
  maxDets: number | undefined,
): Promise<Pick<Verification, "ap" | "maskAp">> {
  const stored = found.map(({ batch }) => batch);
  const metricsOf = async (which: "ours" | "theirs") => {
    const known = new Map(found.map((one) => [one.batch, one[which]]));
    const detect = (batch: (typeof stored)[number]) => known.get(batch)!;
    const evaluation = { detect, batches: iterate(stored), samples, classes, categoryOf, polygons };
    return (await evaluateModel({ ...evaluation, ...(maxDets && { maxDets }) })).metrics;
  };
  const [trainer, file] = [await metricsOf("ours"), await metricsOf("theirs")];
  const compared = (metric: string) =>
    trainer[metric]! >= 0 ? { trainer: trainer[metric]!, file: file[metric] ?? Number.NaN } : null;
  return { ap: compared(MAIN_METRIC), ...(MASK_METRIC in trainer && { maskAp: compared(MASK_METRIC) }) };
}

/** What is wrong with a file, as the end of a sentence; undefined where it is within the tolerance. */
export function fault({ slots, finite, ap, maskAp }: Verification, mostAp: number): string | undefined {
  if (!finite) return "it gives what is no number";
  if (slots && !(slots.boxes <= TOLERANCE.boxes)) {
    return `its boxes differ by up to ${slots.boxes.toPrecision(2)} of the image, ${TOLERANCE.boxes} are allowed`;
  }
  if (slots && !(slots.logits <= TOLERANCE.logits)) {
    return `its logits differ by up to ${slots.logits.toPrecision(2)}, ${TOLERANCE.logits} are allowed`;
  }
  if (slots?.masks !== undefined && !(slots.masks <= TOLERANCE.masks)) {
    return `its masks differ by up to ${slots.masks.toPrecision(2)}, ${TOLERANCE.masks} are allowed`;
  }
  if (ap && !(Math.abs(ap.file - ap.trainer) <= mostAp)) {
    return `its ${MAIN_METRIC} is ${ap.file.toFixed(4)} instead of ${ap.trainer.toFixed(4)}`;
  }
  if (maskAp && !(Math.abs(maskAp.file - maskAp.trainer) <= mostAp)) {
    return `its ${MASK_METRIC} is ${maskAp.file.toFixed(4)} instead of ${maskAp.trainer.toFixed(4)}`;
  }
  return undefined;
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
