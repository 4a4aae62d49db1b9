// What a run of an ONNX file gave, as detections.

import { bestDetections, type ImageDetections, type Sizes } from "../instance/detections.ts";
import { encodeRuns, packMask } from "../instance/masks/runs.ts";
import { MOST_MASK_SIDE } from "../onnx/format.ts";
import type { OnnxTensor } from "../onnx/session.ts";
import { UserError } from "../util/errors.ts";

/** What the runs of a batch gave: one for all images, or one for each of the file's own batches. */
export type OnnxOutputs = { images: number; outputs: Record<string, OnnxTensor> }[];

type ElementArray = typeof Float32Array | typeof BigInt64Array | typeof Uint8Array;

/** Throws a UserError where a file of another program gives something else than its names promise. */
export function requireShapes(
  outputs: Record<string, OnnxTensor>,
  { path, images, decoded }: { path: string; images: number; decoded: boolean },
): void {
  const [boxes, count] = decoded ? ["boxes", outputs.scores!.shape[1]] : ["dets", outputs.dets!.shape[1]];
  const expected: Record<string, [shape: (number | undefined)[], type: ElementArray]> = {
    [boxes!]: [[images, count, 4], Float32Array],
    ...(decoded
      ? { scores: [[images, count], Float32Array], labels: [[images, count], BigInt64Array] }
      : { labels: [[images, count, outputs.labels!.shape[2]], Float32Array] }),
    ...(outputs.masks && {
      masks: [[images, count, outputs.masks.shape[2], outputs.masks.shape[3]], decoded ? Uint8Array : Float32Array],
    }),
  };
  for (const [name, [shape, type]] of Object.entries(expected)) {
    const { shape: found, data } = outputs[name]!;
    if (found.join() === shape.join() && !shape.includes(undefined) && data instanceof type) continue;
    const kind = type === Float32Array ? "float32" : type === Uint8Array ? "uint8" : "int64";
    throw new UserError(
      `${path} gives ${name} of shape [${found.join(", ")}], where ${kind} [${shape.map((n) => n ?? "any number").join(", ")}] belongs.`,
      { hint: "It is no detector of ours. Export it again." },
    );
  }
}

/** Detections of logits and boxes, and of masks where there are any. */
export function rankedDetections(
  { dets, labels, masks }: Record<string, OnnxTensor>,
  sizes: Sizes,
  { numSelect, maskFrom }: { numSelect: number; maskFrom?: number | undefined },
): ImageDetections[] {
  const [, queries, classes] = labels!.shape as [number, number, number];
  const drawn = masks && {
    logits: masks.data as Float32Array,
    size: masks.shape.slice(2) as [height: number, width: number],
  };
  const [logits, boxes] = [labels!.data as Float32Array, dets!.data as Float32Array];
  return bestDetections({ logits, boxes, queries, classes, masks: drawn }, sizes, { most: numSelect, maskFrom });
}

/** Detections that the file has made itself. */
export function decodedDetections(
  { boxes, scores, labels, masks }: Record<string, OnnxTensor>,
  sizes: Sizes,
  { maskFrom = 0 }: { maskFrom?: number | undefined } = {},
): ImageDetections[] {
  const count = scores!.shape[1]!;
  return sizes.map((size, image) => {
    const own = {
      boxes: (boxes!.data as Float32Array).slice(4 * image * count, 4 * (image + 1) * count),
      scores: (scores!.data as Float32Array).slice(image * count, (image + 1) * count),
      labels: Int32Array.from((labels!.data as BigInt64Array).subarray(image * count, (image + 1) * count), Number),
    };
    if (!masks) return own;
    const shapes = Array.from(own.scores, (score, i) =>
      score >= maskFrom ? { mask: decodedMask(masks, size, image * count + i) } : {},
    );
    return { ...own, shapes };
  });
}

/** The mask at this place at the size of its image; where the file's is smaller, the nearest of its pixels. */
function decodedMask({ data, shape }: OnnxTensor, [height, width]: Sizes[number], place: number) {
  const [rows, columns] = shape.slice(2) as [number, number];
  const all = (data as Uint8Array).subarray(place * rows * columns, (place + 1) * rows * columns);
  const nearest = (to: number, most: number) => {
    const own = Math.min(to, MOST_MASK_SIDE, most);
    return Int32Array.from({ length: to }, (_, i) => Math.floor(((i + 0.5) * own) / to));
  };
  const [down, across] = [nearest(height, rows), nearest(width, columns)];
  const pixels = new Uint8Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) pixels[y * width + x] = all[down[y]! * columns + across[x]!]!;
  return packMask(encodeRuns(pixels, [height, width]));
}
