// Resizing of image batches on the device, as torch's interpolate does it without antialiasing.

import * as tf from "@tensorflow/tfjs-core";

/**
 * Resize images to a square by bilinear interpolation between pixel centres, not antialiased. No gradient is needed of
 * it. images: [batch, height, width, channels] -> [batch, side, side, channels].
 */
export function resizeBilinear(images: tf.Tensor4D, side: number): tf.Tensor4D {
  return tf.tidy(() => tf.image.resizeBilinear(images, [side, side], false, true));
}
