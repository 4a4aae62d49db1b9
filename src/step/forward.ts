// The first stage of a step: the network on a batch, under a tape.

import * as tf from "@tensorflow/tfjs-core";
import type { Batch } from "../loading/batch/batch.ts";
import { type StackedOutputs, stack } from "../loss/outputs.ts";
import type { Padding } from "../model/padding.ts";
import { type Checkpointing, rfdetr } from "../model/rfdetr.ts";
import type { Precision } from "../ops/bf16/precision.ts";
import { type Recording, recorded } from "../ops/differentiable.ts";
import { resizeBilinear } from "../ops/resize/resize.ts";
import type { Learner } from "./learner.ts";

export type ForwardInputs = {
  /** [batch, height, width, 3], normalised. */
  images: tf.Tensor4D;
  /** Where images are padded. */
  padding?: Padding | undefined;
  /** What the windows of each block's two residuals are multiplied by, where blocks are dropped. */
  dropPath?: tf.Tensor[][] | undefined;
};

/** The images of a batch on the device, resized where they are to have another side. */
export function uploadImages({ images, shape }: Batch, side: number | undefined): tf.Tensor4D {
  const whole = tf.tensor4d(images, shape);
  if (side === undefined) return whole;
  const resized = resizeBilinear(whole, side);
  whole.dispose();
  return resized;
}

/** How the network is computed. */
export type NetworkOptions = { checkpointing?: Checkpointing | undefined; precision?: Precision | undefined };

/** Outputs of all layers and query groups, and the way back from them to the weights. */
export function forward(
  { weights, architecture }: Learner,
  { images, padding, dropPath }: ForwardInputs,
  { checkpointing, precision }: NetworkOptions,
): Recording<StackedOutputs> {
  return recorded(() =>
    stack(rfdetr(weights, architecture, images, { training: true, padding, dropPath, checkpointing, precision })),
  );
}
