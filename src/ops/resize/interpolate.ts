// Resizing of position embeddings by antialiased bicubic interpolation, written as two matrix products.

import * as tf from "@tensorflow/tfjs-core";
import { bicubicWeights } from "../../util/arrays/bicubic.ts";

/** Resize a grid. x: [height, width, channels] -> [size[0], size[1], channels]. */
export function resizeBicubic(x: tf.Tensor3D, [height, width]: [number, number]): tf.Tensor3D {
  const [inHeight, inWidth, channels] = x.shape;
  return tf.tidy(() => {
    const vertical = tf.tensor2d(bicubicWeights(inHeight, height), [height, inHeight]);
    const horizontal = tf.tensor2d(bicubicWeights(inWidth, width), [width, inWidth]);
    const rows = tf.reshape(tf.matMul(vertical, tf.reshape(x, [inHeight, inWidth * channels])), [
      height,
      inWidth,
      channels,
    ]);
    const tiled = tf.tile(tf.expandDims(horizontal, 0), [height, 1, 1]) as tf.Tensor3D; // [height, width, inWidth]
    return tf.matMul(tiled, rows as tf.Tensor3D);
  });
}
