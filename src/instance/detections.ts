// Detections on the host, in pixels of the original images. No tensors are known here.

import type { Instances } from "./instance.ts";
import { maskFromLogits } from "./masks/fromLogits.ts";

/** [height, width] of each original image, in pixels. */
export type Sizes = readonly (readonly [height: number, width: number])[];

/** Detections of one image in falling order of score; boxes are clipped to the image. */
export type ImageDetections = Instances & { scores: Float32Array };

/** What a model has found in a batch: the best query and class pairs of each image, `count` each. */
export type Ranked = {
  /** In falling order, [batch, count]. */
  scores: ArrayLike<number>;
  /** Query times classes plus class, [batch, count]. */
  indices: ArrayLike<number>;
  /** [batch, queries, 4], normalised cxcywh. */
  boxes: ArrayLike<number>;
  count: number;
  queries: number;
  classes: number;
  /** Of a segmenter, logits [batch, queries, size[0], size[1]]. */
  masks?: { logits: Float32Array; size: readonly [height: number, width: number] } | undefined;
};

/**
 * The same in pixels, with masks as run lengths where there are any. sizes: of the original images; `maskFrom`: the least score of
 * which a mask is made, default all.
 */
export function toPixels(
  ranked: Ranked,
  sizes: Sizes,
  { maskFrom = 0 }: { maskFrom?: number | undefined } = {},
): ImageDetections[] {
  return sizes.map((size, image) => {
    const detections = boxesInPixels(ranked, size, image);
    if (!ranked.masks) return detections;
    const shapes = Array.from(detections.scores, (score, i) =>
      score >= maskFrom ? { mask: maskOf(ranked, size, image * ranked.count + i, image) } : {},
    );
    return { ...detections, shapes };
  });
}

/** What a model gives for a batch, before anything is ranked: logits [batch, queries, classes], and the rest as in `Ranked`. */
export type RankInputs = Pick<Ranked, "boxes" | "queries" | "classes" | "masks"> & { logits: Float32Array };

/** The best detections of each image, at most `most`, in pixels. */
export function bestDetections(
  { logits, ...rest }: RankInputs,
  sizes: Sizes,
  { most, maskFrom }: { most: number; maskFrom?: number | undefined },
): ImageDetections[] {
  const pairs = rest.queries * rest.classes;
  const count = Math.min(most, pairs);
  return toPixels({ ...rank(logits, { batch: logits.length / pairs, count }), ...rest, count }, sizes, { maskFrom });
}

function maskOf({ indices, queries, classes, masks }: Ranked, size: Sizes[number], place: number, image: number) {
  const { logits, size: from } = masks!;
  const start = (image * queries + Math.floor(indices[place]! / classes)) * from[0] * from[1];
  return maskFromLogits(logits.subarray(start, start + from[0] * from[1]), from, size);
}

function boxesInPixels(
  { scores, indices, boxes, count, queries, classes }: Ranked,
  [height, width]: Sizes[number],
  image: number,
): ImageDetections {
  const detections = {
    boxes: new Float32Array(count * 4),
    scores: new Float32Array(count),
    labels: new Int32Array(count),
  };
  for (let i = 0; i < count; i++) {
    const index = indices[image * count + i]!;
    const box = (image * queries + Math.floor(index / classes)) * 4;
    detections.scores[i] = scores[image * count + i]!;
    detections.labels[i] = index % classes;
    const [cx, cy, w, h] = [boxes[box]!, boxes[box + 1]!, boxes[box + 2]!, boxes[box + 3]!];
    detections.boxes.set(
      [
        clip((cx - Math.max(w, 0) / 2) * width, width),
        clip((cy - Math.max(h, 0) / 2) * height, height),
        clip((cx + Math.max(w, 0) / 2) * width, width),
        clip((cy + Math.max(h, 0) / 2) * height, height),
      ],
      i * 4,
    );
  }
  return detections;
}

function clip(value: number, limit: number): number {
  return Math.min(Math.max(value, 0), limit);
}

/**
 * The `count` best query and class pairs of each image by sigmoid; ties go to the lower query, then the lower class.
 * logits: [batch, queries * classes].
 */
export function rank(
  logits: Float32Array,
  { batch, count }: { batch: number; count: number },
): Pick<Ranked, "scores" | "indices"> {
  const pairs = logits.length / batch;
  const scores = new Float32Array(batch * count);
  const indices = new Int32Array(batch * count);
  for (let image = 0; image < batch; image++) {
    const own = logits.subarray(image * pairs, (image + 1) * pairs).map((logit) => 1 / (1 + Math.exp(-logit)));
    // The least score that can be among the best: few are as good, so few are sorted.
    const least = Float32Array.from(own).sort()[pairs - count]!;
    const candidates: number[] = [];
    for (let i = 0; i < pairs; i++) if (!(own[i]! < least)) candidates.push(i);
    candidates.sort((a, b) => own[b]! - own[a]! || a - b);
    for (let i = 0; i < count; i++) {
      indices[image * count + i] = candidates[i]!;
      scores[image * count + i] = own[candidates[i]!]!;
    }
  }
  return { scores, indices };
}
