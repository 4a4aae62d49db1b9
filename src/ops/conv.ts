// Convolutions in NHWC.

import * as tf from "@tensorflow/tfjs-core";
import { bf16Conv2d } from "./bf16/conv.ts";
import { precisionNow } from "./bf16/precision.ts";
import { type Linear, linear, project } from "./linear.ts";

/**
 * Convolution without bias, padded by floor(kernel / 2) on every side as PyTorch pads.
 * x: [batch, height, width, in], filter: [kernel, kernel, in, out] -> [batch, ceil(height / stride), ceil(width / stride), out].
 */
export function conv(filter: tf.Tensor, x: tf.Tensor4D, stride = 1): tf.Tensor4D {
  const [kernel, , input, out] = filter.shape as [number, number, number, number];
  if (kernel === 1 && stride === 1) return project(tf.reshape(filter, [input, out]), x) as tf.Tensor4D;
  const bf16 = precisionNow() === "bf16";
  if (stride === 1)
    return bf16 ? (bf16Conv2d(filter, x, 1, "SAME") as tf.Tensor4D) : tf.conv2d(x, filter as tf.Tensor4D, 1, "same");
  const pad = Math.floor(kernel / 2); // TensorFlow's "same" pads an even input on one side only when the stride is 2
  return tf.tidy(() => {
    const padded = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]]); // biome-ignore format: one pair an axis
    if (bf16) return bf16Conv2d(filter, padded, stride, "VALID") as tf.Tensor4D;
    return tf.conv2d(padded, filter as tf.Tensor4D, stride, "valid");
  });
}

/** Non-overlapping patches through a linear map. x: [batch, height, width, 3] -> [batch, height / patch, width / patch, out]. */
export function patchEmbedding({ weight, bias }: Linear, x: tf.Tensor4D): tf.Tensor4D {
  const [patch, , input, out] = weight.shape as [number, number, number, number];
  const [batch, height, width] = x.shape;
  return tf.tidy(() => {
    const blocks = tf.transpose(
      tf.reshape(x, [batch, height / patch, patch, width / patch, patch * input]),
      [0, 1, 3, 2, 4],
    ); // [batch, rows, columns, patch, patch * in]
    const rows = tf.reshape(blocks, [batch, height / patch, width / patch, patch * patch * input]);
    return linear({ weight: tf.reshape(weight, [patch * patch * input, out]), bias }, rows) as tf.Tensor4D;
  });
}

/**
 * Transposed convolution with kernel and stride 2: every cell becomes 2 x 2 cells.
 * x: [batch, height, width, in], weight: [in, 2, 2, out] -> [batch, 2 * height, 2 * width, out].
 */
export function doubleResolution({ weight, bias }: Linear, x: tf.Tensor4D): tf.Tensor4D {
  const [input, , , out] = weight.shape as [number, number, number, number];
  const [batch, height, width] = x.shape;
  return tf.tidy(() => {
    const cells = tf.reshape(project(tf.reshape(weight, [input, 4 * out]), x), [batch, height, width, 2, 2 * out]);
    const interleaved = tf.transpose(cells, [0, 1, 3, 2, 4]); // [batch, height, 2, width, 2 * out]
    return tf.add(tf.reshape(interleaved, [batch, 2 * height, 2 * width, out]), bias);
  });
}
