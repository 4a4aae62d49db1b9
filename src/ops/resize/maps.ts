// Bilinear resizing of feature maps, with its gradient.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { differentiable } from "../differentiable.ts";

const BETWEEN_CENTRES = { T: { type: "float" }, align_corners: false, half_pixel_centers: true } as const;

/** Between cell centres, not antialiased. x: [batch, rows, columns, channels] -> [batch, size[0], size[1], channels]. */
export function resizeMap(x: tf.Tensor4D, size: [rows: number, columns: number]): tf.Tensor4D {
  return differentiable(
    { x },
    (save) => {
      save(x);
      return rawOp("ResizeBilinear", BETWEEN_CENTRES, [x, tf.tensor1d(size, "int32")]);
    },
    (dy, [input]) => ({ x: () => rawOp("ResizeBilinearGrad", BETWEEN_CENTRES, [dy, input!]) }),
  ) as tf.Tensor4D;
}
