// How far an exported file's outputs are from the trainer's own, slot by slot.

import type { Model } from "../../detector/loadModel.ts";
import type { OnnxOutputs } from "../../detector/onnxOutputs.ts";
import { bestDetections, type ImageDetections } from "../../instance/detections.ts";
import type { Mask } from "../../instance/instance.ts";
import { maskRuns } from "../../instance/masks/maskRuns.ts";
import { regionIou, regionOf } from "../../instance/masks/overlap.ts";
import type { Batch } from "../../loading/batch/batch.ts";
import type { RawOutputs } from "../../model/detect.ts";
import { MOST_MASK_SIDE } from "../../onnx/format.ts";
import { type LabelRange, labelRange } from "../graph/decode.ts";

/** Of boxes in parts of the image, of logits, of masks' logits; of a decoded file, of scores and in parts of the image. */
export type SlotDifference = { boxes: number; logits: number; masks?: number };

/** Two proposals whose scores are nearer than this may change places between one program and another. */
const TIE = 3e-5;

/** NaN counts as the largest difference of all. */
export function larger(a: number, b: number): number {
  return b > a || Number.isNaN(b) ? b : a;
}

export function slotsFar(
  ours: RawOutputs,
  { dets, labels, masks }: OnnxOutputs[number]["outputs"],
  { image, queries, classes }: { image: number; queries: number; classes: number },
): SlotDifference {
  const far = (mine: Float32Array, theirs: Float32Array, size: number) => {
    let most = 0;
    for (let i = image * size; i < (image + 1) * size; i++)
      most = larger(most, Math.abs(mine[i]! - theirs[i]!) / Math.max(1, Math.abs(mine[i]!)));
    return most;
  };
  return {
    boxes: far(ours.boxes, dets!.data as Float32Array, queries * 4),
    logits: far(ours.logits, labels!.data as Float32Array, queries * classes),
    ...(ours.masks && {
      masks: masks
        ? far(ours.masks.logits, masks.data as Float32Array, queries * ours.masks.size[0] * ours.masks.size[1])
        : Number.NaN,
    }),
  };
}

export function hasNearTie(ranking: Float32Array, { image, count }: { image: number; count: number }): boolean {
  const size = ranking.length / count;
  const own = ranking.subarray(image * size, (image + 1) * size);
  return own.some((score, i) => i > 0 && Math.abs(own[i - 1]! - score) < TIE);
}

/** What the trainer would find among the labels that a decoded file ranks. */
export function ownDecoded(
  model: Model,
  { logits, boxes, masks }: RawOutputs,
  { originalSizes, shape }: Batch,
): ImageDetections[] {
  const { numSelect, numQueries: queries, numClasses } = model.architecture;
  const { first, last }: LabelRange = labelRange(model.classes);
  const classes = last - first + 1;
  const kept = new Float32Array(shape[0] * queries * classes);
  for (let i = 0; i < shape[0] * queries; i++)
    kept.set(logits.subarray(i * (numClasses + 1) + first, i * (numClasses + 1) + last + 1), i * classes);
  const found = bestDetections({ logits: kept, boxes, queries, classes, masks }, originalSizes, { most: numSelect });
  return found.map((one) => ({ ...one, labels: one.labels.map((label) => label + first) }));
}

/** Detections whose score is another's, too, may stand in another order; all others have to agree one by one. */
export function detectionsFar(
  ours: ImageDetections,
  theirs: ImageDetections,
  [height, width]: readonly [number, number],
): SlotDifference {
  const far: SlotDifference = { boxes: 0, logits: 0, ...(ours.shapes && { masks: 0 }) };
  const whole = Math.max(height, width) <= MOST_MASK_SIDE; // else the file's masks are coarser
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
    if (whole && ours.shapes)
      far.masks = larger(far.masks!, masksFar(ours.shapes[i]!.mask, theirs.shapes?.[i]?.mask, [height, width]));
  }
  return far;
}

/** The part of the image that only one of two masks covers. */
function masksFar(ours: Mask | undefined, theirs: Mask | undefined, size: readonly [number, number]): number {
  if (!ours || !theirs) return Number.NaN;
  const [a, b] = [ours, theirs].map((mask) => regionOf(maskRuns(mask, { size, where: "a detection" }))) as [
    ReturnType<typeof regionOf>,
    ReturnType<typeof regionOf>,
  ];
  const iou = regionIou(a, b);
  return ((a.area + b.area) * (1 - iou)) / (1 + iou) / (size[0] * size[1]);
}
