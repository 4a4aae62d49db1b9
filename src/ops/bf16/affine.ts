// What stands around a matrix product in bfloat16: bias and activation behind it, and the way back. By kernels of ours in one pass, else
// by TensorFlow's operations in float32.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { plainGelu, plainGeluGradient } from "../activation.ts";
import { asBf16, asFloat32 } from "./tensors.ts";

const FLOAT = { T: { type: "float" } } as const;

export type Activation = "relu" | "gelu";

/** What the way back needs of the way there: of relu what it gave, of gelu what it was made of. */
export type AffineInputs =
  | { activation?: undefined }
  | { activation: "relu"; y: tf.Tensor }
  | { activation: "gelu"; product: tf.Tensor; bias: tf.Tensor };

/**
 * product: [rows, out], bfloat16; bias: [out] -> activation(product + bias), bfloat16 where it is `narrow` or has an activation,
 * else float32. Off the tape.
 */
export function affine(
  product: tf.Tensor,
  bias: tf.Tensor,
  { activation, narrow = false }: { activation?: Activation | undefined; narrow?: boolean } = {},
): tf.Tensor {
  if (hasKernels()) {
    const suffix = activation ? { relu: "Relu", gelu: "Gelu" }[activation] : narrow ? "Narrow" : "";
    return rawOp(`RfAffine${suffix}`, {}, [product, bias]);
  }
  return tf.tidy(() => {
    const x = rawOp("BiasAdd", FLOAT, [asFloat32(product), bias]);
    if (activation === "relu") return asBf16(tf.relu(x));
    if (activation === "gelu") return asBf16(plainGelu(x));
    return narrow ? asBf16(x) : x;
  });
}

/** The gradients of `affine`'s product, bfloat16, and of its bias, for its output's, `dy`. Off the tape. */
export function affineGradients(dy: tf.Tensor, from: AffineInputs): { d: tf.Tensor; dBias: tf.Tensor } {
  const both = (op: string, inputs: tf.Tensor[]) => {
    const [d, dBias] = rawOps(op, {}, inputs, 2) as [tf.Tensor, tf.Tensor];
    return { d, dBias };
  };
  if (hasKernels()) {
    if (from.activation === "relu") return both("RfAffineReluGrad", [asBf16(dy), from.y]);
    if (from.activation === "gelu") return both("RfAffineGeluGrad", [asBf16(dy), from.product, from.bias]);
    if (dy.dtype === "float32") return both("RfAffineGrad", [dy]);
    return { d: dy, dBias: rawOp("RfAffineNarrowGrad", {}, [dy]) };
  }
  const wide = asFloat32(dy);
  const gradient = () => {
    if (from.activation === "relu") return rawOp("ReluGrad", FLOAT, [wide, asFloat32(from.y)]);
    if (from.activation === undefined) return wide;
    return plainGeluGradient(rawOp("BiasAdd", FLOAT, [asFloat32(from.product), from.bias]), wide);
  };
  const d = gradient();
  return { d: asBf16(d), dBias: rawOp("BiasAddGrad", FLOAT, [d]) };
}
