// From logits and boxes to detections in pixels (rfdetr/models/postprocess.py): no NMS, a query may appear for several classes.

import * as tf from "@tensorflow/tfjs-core";
import { type ImageDetections, type Sizes, toPixels } from "../instance/detections.ts";
import type { Outputs } from "./rfdetr.ts";

/** The `count` best query and class pairs of each image; ties go to the lower query, then the lower class. */
export async function postprocess({ logits, boxes }: Outputs, sizes: Sizes, count: number): Promise<ImageDetections[]> {
  const [batch, queries, classes] = logits.shape;
  const k = Math.min(count, queries * classes);
  const top = tf.tidy(() => tf.topk(tf.reshape(tf.sigmoid(logits), [batch, queries * classes]), k, true));
  const [scores, indices, normalised] = await Promise.all([top.values.data(), top.indices.data(), boxes.data()]);
  tf.dispose([top.values, top.indices]);
  return toPixels({ scores, indices, boxes: normalised, count: k, queries, classes }, sizes);
}
