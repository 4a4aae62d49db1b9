// Convolution in bfloat16.

import * as tf from "@tensorflow/tfjs-core";
import { type AttributeValue, rawOp } from "../../engine/backend.ts";
import { differentiable } from "../differentiable.ts";
import { asBf16, asFloat32 } from "./tensors.ts";

/** x: [batch, height, width, in], float32; filter: [kernel, kernel, in, out] -> [batch, rows, columns, out], float32. */
export function bf16Conv2d(filter: tf.Tensor, x: tf.Tensor, stride: number, padding: "SAME" | "VALID"): tf.Tensor {
  const attributes: Record<string, AttributeValue> = {
    T: { type: "bfloat16" },
    strides: { ints: [1, stride, stride, 1] },
    padding,
    explicit_paddings: { ints: [] },
    data_format: "NHWC",
    dilations: { ints: [1, 1, 1, 1] },
    use_cudnn_on_gpu: true,
  };
  const sizes = ({ shape }: tf.Tensor) => tf.tensor1d(shape, "int32");
  return differentiable(
    { x, filter },
    (save) => {
      const [image, f] = [asBf16(x), asBf16(filter)];
      save(image, f);
      return asFloat32(rawOp("Conv2D", attributes, [image, f]));
    },
    (dy, [image, f]) => {
      const d = asBf16(dy);
      return {
        x: () => asFloat32(rawOp("Conv2DBackpropInput", attributes, [sizes(x), f!, d])),
        filter: () => asFloat32(rawOp("Conv2DBackpropFilter", attributes, [image!, sizes(filter), d])),
      };
    },
  );
}
