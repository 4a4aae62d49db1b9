// Images on the host in, detections on the host out: what evaluation and prediction do with a model.

import * as tf from "@tensorflow/tfjs-core";
import type { ImageDetections } from "./detections.ts";
import { postprocess } from "./postprocess.ts";
import { type RfdetrWeights, rfdetr } from "./rfdetr.ts";
import type { Architecture } from "./variants.ts";

/** images: float32 [batch, height, width, 3], normalised; sizes: [height, width] of each original image, in pixels. */
export type DetectInput = {
  images: Float32Array;
  shape: [batch: number, height: number, width: number, channels: number];
  originalSizes: readonly (readonly [height: number, width: number])[];
};

/** The `num_select` best detections of each image, in pixels of the original images. */
export async function detectObjects(
  weights: RfdetrWeights,
  architecture: Architecture,
  { images, shape, originalSizes }: DetectInput,
): Promise<ImageDetections[]> {
  const { logits, boxes } = tf.tidy(
    () => rfdetr(weights, architecture, tf.tensor4d(images, shape), { training: false }).layers.at(-1)!,
  );
  try {
    return await postprocess({ logits, boxes }, originalSizes, architecture.numSelect);
  } finally {
    tf.dispose([logits, boxes]);
  }
}

/** What the network gives for images, before anything is ranked: logits and boxes of the last layer in host memory. */
export async function rawOutputs(
  weights: RfdetrWeights,
  architecture: Architecture,
  { images, shape }: Pick<DetectInput, "images" | "shape">,
): Promise<{ logits: Float32Array; boxes: Float32Array }> {
  const { logits, boxes } = tf.tidy(
    () => rfdetr(weights, architecture, tf.tensor4d(images, shape), { training: false }).layers.at(-1)!,
  );
  try {
    return { logits: Float32Array.from(await logits.data()), boxes: Float32Array.from(await boxes.data()) };
  } finally {
    tf.dispose([logits, boxes]);
  }
}
