// Multi-scale projector: fuses the encoder's feature maps into one map a level (rfdetr/models/backbone/projector.py).

import * as tf from "@tensorflow/tfjs-core";
import { EPSILON } from "../architecture/facts.ts";
import type { Architecture } from "../architecture/variants.ts";
import { relu, silu } from "../ops/activation.ts";
import { conv, doubleResolution } from "../ops/conv.ts";
import type { MapSize } from "../ops/deformable.ts";
import type { Linear } from "../ops/linear.ts";
import { layerNorm, type Norm } from "../ops/norm.ts";

/** conv: [kernel, kernel, in, out]. */
type ConvNorm = { conv: tf.Tensor; norm: Norm };

type Level = {
  /** One an encoder map: nothing at P4, a transposed convolution at P3, a strided convolution at P5. */
  sampling?: (Linear | ConvNorm)[];
  fuse: { input: ConvNorm; output: ConvNorm; bottlenecks: ConvNorm[][] };
  norm: Norm;
};

export type Projector = { levels: Level[] };

/** Rows and columns of each level's map, for images of [height, width] pixels. */
export function levelSizes(
  { projectorScale, patchSize }: Pick<Architecture, "projectorScale" | "patchSize">,
  image: readonly [height: number, width: number],
): MapSize[] {
  const patches = image.map((side) => side / patchSize) as MapSize;
  const halved = (size: MapSize) => size.map((side) => Math.ceil(side / 2)) as MapSize;
  const sizes: MapSize[] = [];
  for (const scale of projectorScale) {
    if (scale === "P3") sizes.push(patches.map((side) => 2 * side) as MapSize);
    if (scale === "P4") sizes.push(patches);
    if (scale === "P5") sizes.push(halved(patches));
    if (scale === "P6") sizes.push(halved(sizes.at(-1)!));
  }
  return sizes;
}

/** maps: [batch, height, width, width of the encoder] each -> one [batch, rows, columns, dim] a level, fine to coarse. */
export function projector(weights: Projector, { projectorScale }: Architecture, maps: tf.Tensor4D[]): tf.Tensor4D[] {
  return tf.tidy(() => {
    const levels = weights.levels.map(({ sampling, fuse, norm }) => {
      const sampled = maps.map((map, i) => (sampling ? resample(sampling[i]!, map) : map));
      return layerNorm(norm, fuseMaps(fuse, tf.concat(sampled, 3)), EPSILON.projector) as tf.Tensor4D;
    });
    const coarsest = levels[levels.length - 1]!;
    if (projectorScale.includes("P6")) levels.push(tf.maxPool(coarsest, 1, 2, "valid"));
    return levels;
  });
}

function resample(weights: Linear | ConvNorm, map: tf.Tensor4D): tf.Tensor4D {
  if ("conv" in weights)
    return relu(layerNorm(weights.norm, conv(weights.conv, map, 2), EPSILON.projector)) as tf.Tensor4D;
  return doubleResolution(weights, map);
}

/** Cross-stage partial block (C2f): one half goes on unchanged, the other through a chain whose every link is kept. */
function fuseMaps({ input, output, bottlenecks }: Level["fuse"], x: tf.Tensor4D): tf.Tensor4D {
  const parts = [...tf.split(convNormSilu(input, x), 2, 3)] as tf.Tensor4D[];
  for (const [first, second] of bottlenecks as [ConvNorm, ConvNorm][])
    parts.push(convNormSilu(second, convNormSilu(first, parts.at(-1)!)));
  return convNormSilu(output, tf.concat(parts, 3));
}

function convNormSilu({ conv: filter, norm }: ConvNorm, x: tf.Tensor4D): tf.Tensor4D {
  return silu(layerNorm(norm, conv(filter, x), EPSILON.projector)) as tf.Tensor4D;
}
