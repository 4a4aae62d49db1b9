// From logits and boxes to detections in pixels (rfdetr/models/postprocess.py): no NMS, a query may appear for several classes.

import * as tf from "@tensorflow/tfjs-core";
import type { Outputs } from "./rfdetr.ts";

/** Detections of one image in falling order of score. boxes: [n, 4], xyxy in pixels, clipped to the image. */
export type ImageDetections = { boxes: Float32Array; scores: Float32Array; labels: Int32Array };

/**
 * The `count` best query and class pairs of each image; ties go to the lower query, then the lower class.
 * sizes: [height, width] of each original image, in pixels.
 */
export async function postprocess(
  { logits, boxes }: Outputs,
  sizes: readonly (readonly [height: number, width: number])[],
  count: number,
): Promise<ImageDetections[]> {
  const [batch, queries, classes] = logits.shape;
  const k = Math.min(count, queries * classes);
  const top = tf.tidy(() => tf.topk(tf.reshape(tf.sigmoid(logits), [batch, queries * classes]), k, true));
  const [scores, indices, normalised] = await Promise.all([top.values.data(), top.indices.data(), boxes.data()]);
  tf.dispose([top.values, top.indices]);
  return sizes.map(([height, width], image) => {
    const detections = { boxes: new Float32Array(k * 4), scores: new Float32Array(k), labels: new Int32Array(k) };
    for (let i = 0; i < k; i++) {
      const index = indices[image * k + i]!;
      const box = (image * queries + Math.floor(index / classes)) * 4;
      detections.scores[i] = scores[image * k + i]!;
      detections.labels[i] = index % classes;
      const [cx, cy, w, h] = [normalised[box]!, normalised[box + 1]!, normalised[box + 2]!, normalised[box + 3]!];
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
