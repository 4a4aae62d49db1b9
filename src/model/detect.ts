// Images on the host in, detections on the host out: what evaluation and prediction do with a model.

import * as tf from "@tensorflow/tfjs-core";
import type { Architecture } from "../architecture/variants.ts";
import type { ImageDetections } from "../instance/detections.ts";
import { postprocess } from "./postprocess.ts";
import { type RfdetrWeights, rfdetr } from "./rfdetr.ts";

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

/**
 * What the network gives before anything is made of it, in host memory: logits [batch, queries, classes + 1] and boxes
 * [batch, queries, 4] of the last layer, and `ranking` [batch, proposals], the best scores of the proposals, falling.
 */
export type RawOutputs = { logits: Float32Array; boxes: Float32Array; ranking: Float32Array };

/** The network's own outputs for images. */
export async function rawOutputs(
  weights: RfdetrWeights,
  architecture: Architecture,
  { images, shape }: Pick<DetectInput, "images" | "shape">,
): Promise<RawOutputs> {
  const { logits, boxes, ranking } = tf.tidy(() => {
    const { layers, encoder } = rfdetr(weights, architecture, tf.tensor4d(images, shape), { training: false });
    return { ...layers.at(-1)!, ranking: tf.max(encoder.logits, -1) };
  });
  try {
    const read = async (tensor: tf.Tensor) => Float32Array.from(await tensor.data());
    return { logits: await read(logits), boxes: await read(boxes), ranking: await read(ranking) };
  } finally {
    tf.dispose([logits, boxes, ranking]);
  }
}
