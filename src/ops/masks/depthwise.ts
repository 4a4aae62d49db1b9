// Depthwise convolution: every channel by a kernel of its own.

import * as tf from "@tensorflow/tfjs-core";
import { type AttributeValue, rawOp } from "../../engine/backend.ts";
import { differentiable } from "../differentiable.ts";
import { biasGradient } from "../product.ts";

/** weight: [height, width, channels, 1]; bias: [channels]. */
export type Depthwise = { weight: tf.Tensor; bias: tf.Tensor };

const FLOAT = { T: { type: "float" } } as const;

const SAME: Record<string, AttributeValue> = {
  ...FLOAT,
  strides: { ints: [1, 1, 1, 1] },
  dilations: { ints: [1, 1, 1, 1] },
  padding: "SAME",
  data_format: "NHWC",
};

/** Padded with zeros so that the size stays. x: [batch, height, width, channels] -> the same shape. */
export function depthwiseConv({ weight, bias }: Depthwise, x: tf.Tensor4D): tf.Tensor4D {
  return differentiable(
    { x, weight, bias },
    (save) => {
      save(x, weight);
      const mixed = rawOp("DepthwiseConv2dNative", SAME, [x, weight]);
      const y = rawOp("BiasAdd", FLOAT, [mixed, bias]);
      mixed.dispose();
      return y;
    },
    (dy, [input, kernel]) => ({
      x: () => rawOp("DepthwiseConv2dNativeBackpropInput", SAME, [sizes(x.shape), kernel!, dy]),
      weight: () => rawOp("DepthwiseConv2dNativeBackpropFilter", SAME, [input!, sizes(weight.shape), dy]),
      bias: () => biasGradient(tf.reshape(dy, [-1, x.shape[3]])),
    }),
  ) as tf.Tensor4D;
}

const sizes = (shape: number[]) => tf.tensor1d(shape, "int32");
