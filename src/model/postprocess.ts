// From logits and boxes to detections in pixels (rfdetr/models/postprocess.py): no NMS, a query may appear for several classes.

import * as tf from "@tensorflow/tfjs-core";
import { type ImageDetections, type Sizes, toPixels } from "../instance/detections.ts";
import { maskLogits } from "./heads/masks.ts";
import type { Outputs } from "./rfdetr.ts";

/** The `count` best query and class pairs of each image; ties go to the lower query, then the lower class. `maskFrom`: as `toPixels`. */
export async function postprocess(
  { logits, boxes, masks }: Outputs,
  sizes: Sizes,
  count: number,
  options: { maskFrom?: number | undefined } = {},
): Promise<ImageDetections[]> {
  const [batch, queries, classes] = logits.shape;
  const k = Math.min(count, queries * classes);
  const top = tf.tidy(() => tf.topk(tf.reshape(tf.sigmoid(logits), [batch, queries * classes]), k, true));
  const dense = masks && maskLogits(masks);
  const read = [top.values, top.indices, boxes, ...(dense ? [dense] : [])];
  const [scores, indices, normalised, cells] = await Promise.all(read.map((tensor) => tensor.data()));
  tf.dispose([top.values, top.indices, dense ?? []]);
  const found = dense && { logits: cells as Float32Array, size: [dense.shape[2], dense.shape[3]] as const };
  const ranked = { scores: scores!, indices: indices!, boxes: normalised!, count: k, queries, classes, masks: found };
  return toPixels(ranked, sizes, options);
}
