// The annotated masks of a batch on the device.

import * as tf from "@tensorflow/tfjs-core";
import type { MaskPixels, Target } from "../../instance/instance.ts";
import { bucket } from "../bucket.ts";
import type { MaskLossSettings } from "./settings.ts";

/**
 * pixels: bool [masks, height, width], at least one of them without any pixel. `places`: of each image's targets which one is its
 * mask; -1 for one that has none, and no part in the losses.
 */
export type GroundMasks = { pixels: tf.Tensor3D; places: Int32Array[] };

/** The caller owns the pixels. Throws where masks of a batch differ in size. */
export function uploadMasks(targets: readonly Target[], { missing }: Pick<MaskLossSettings, "missing">): GroundMasks {
  const all = targets.flatMap(({ masks }) => (masks ? [masks] : []));
  const [height, width] = all[0]?.size ?? [1, 1];
  if (all.some(({ size }) => size[0] !== height || size[1] !== width))
    throw new Error("masks of one batch have different sizes");
  const isThere = (masks: MaskPixels | undefined, i: number) => masks !== undefined && masks.present[i] !== 0;
  const counts = targets.map(({ labels, masks }) => [...labels.keys()].filter((i) => isThere(masks, i)).length);
  const empty = counts.reduce((sum, count) => sum + count, 0);
  const area = height * width;
  const pixels = new Uint8Array(bucket(empty + 1) * area); // shapes take few values
  let next = 0;
  const places = targets.map(({ labels, masks }) =>
    Int32Array.from(labels, (_, i) => {
      if (!isThere(masks, i)) return missing === "empty" ? empty : -1;
      pixels.set(masks!.pixels.subarray(i * area, (i + 1) * area), next * area);
      return next++;
    }),
  );
  return { pixels: tf.tensor3d(pixels, [pixels.length / area, height, width], "bool"), places };
}
