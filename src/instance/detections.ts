// Detections on the host, in pixels of the original images. No tensors are known here.

import type { Instances } from "./instance.ts";

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
};

/** The same in pixels. sizes: of the original images. */
export function toPixels({ scores, indices, boxes, count, queries, classes }: Ranked, sizes: Sizes): ImageDetections[] {
  return sizes.map(([height, width], image) => {
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
  });
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
