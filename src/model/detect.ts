// Images on the host in, detections on the host out: what evaluation and prediction do with a model.

import * as tf from "@tensorflow/tfjs-core";
import type { Architecture } from "../architecture/variants.ts";
import { EAGER, type Recorder } from "../engine/recording/recorder.ts";
import type { ImageDetections, Sizes } from "../instance/detections.ts";
import type { Precision } from "../ops/bf16/precision.ts";
import { maskLogits } from "./heads/masks.ts";
import { postprocess } from "./postprocess.ts";
import { type Detections, type Outputs, type RfdetrWeights, rfdetr } from "./rfdetr.ts";

/** images: float32 [batch, height, width, 3], normalised. */
export type ImageBatch = {
  images: Float32Array;
  shape: [batch: number, height: number, width: number, channels: number];
};

/**
 * `recorder`: one for each architecture; weights are inputs of what it records, so that others of the same shapes share it.
 * `precision`: default float32.
 */
export type DetectionOptions = { recorder?: Recorder | undefined; precision?: Precision | undefined };

/** What every layer gives for images, on the device and the caller's. */
export async function forwardLayers(
  weights: RfdetrWeights,
  architecture: Architecture,
  { images, shape }: ImageBatch,
  { recorder = EAGER, precision }: DetectionOptions = {},
): Promise<Detections> {
  const input = tf.tensor4d(images, shape);
  const detection = () => rfdetr(weights, architecture, input, { training: false, precision });
  return recorder
    .settle(
      () => recorder.chain("detection", { key: precision ?? "none" }).part({ images: input, weights }, detection),
      tf.dispose,
    )
    .finally(() => input.dispose());
}

/** What the last layer gives for images, on the device and computed when the promise resolves; `selectDetections` frees it. */
export async function forwardImages(
  weights: RfdetrWeights,
  architecture: Architecture,
  batch: ImageBatch,
  options?: DetectionOptions,
): Promise<Outputs> {
  const { layers, encoder } = await forwardLayers(weights, architecture, batch, options);
  const { logits, boxes, masks } = layers.at(-1)!;
  tf.dispose([layers.slice(0, -1), encoder]);
  // One number read back: a GPU would otherwise still be at work, and fail or be timed in a later stage.
  const corner = tf.tidy(() => tf.slice(boxes, [0, 0, 0], [1, 1, 1]));
  await corner.data();
  corner.dispose();
  return { logits, boxes, ...(masks && { masks }) };
}

/** The `count` best detections of each image, in pixels of the original images. `maskFrom`: as `toPixels`. */
export async function selectDetections(
  outputs: Outputs,
  sizes: Sizes,
  count: number,
  options: { maskFrom?: number | undefined } = {},
): Promise<ImageDetections[]> {
  try {
    return await postprocess(outputs, sizes, count, options);
  } finally {
    tf.dispose([outputs.logits, outputs.boxes, outputs.masks ?? []]);
  }
}

/**
 * What the network gives before anything is made of it, in host memory: logits [batch, queries, classes + 1] and boxes
 * [batch, queries, 4] of the last layer, and `ranking` [batch, proposals], the best scores of the proposals, falling. `masks`, of a
 * segmenter: logits [batch, queries, size[0], size[1]].
 */
export type RawOutputs = {
  logits: Float32Array;
  boxes: Float32Array;
  ranking: Float32Array;
  masks?: { logits: Float32Array; size: readonly [height: number, width: number] };
};

/** The network's own outputs for images. */
export async function rawOutputs(
  weights: RfdetrWeights,
  architecture: Architecture,
  { images, shape }: ImageBatch,
): Promise<RawOutputs> {
  const { logits, boxes, ranking, dense } = tf.tidy(() => {
    const { layers, encoder } = rfdetr(weights, architecture, tf.tensor4d(images, shape), { training: false });
    const { masks, ...last } = layers.at(-1)!;
    return { ...last, ranking: tf.max(encoder.logits, -1), dense: masks && maskLogits(masks) };
  });
  try {
    const read = async (tensor: tf.Tensor) => Float32Array.from(await tensor.data());
    const numbers = { logits: await read(logits), boxes: await read(boxes), ranking: await read(ranking) };
    return dense
      ? { ...numbers, masks: { logits: await read(dense), size: [dense.shape[2], dense.shape[3]] } }
      : numbers;
  } finally {
    tf.dispose([logits, boxes, ranking, dense ?? []]);
  }
}
