// Products of matrices and affine maps, off the tape: by kernels of ours, else by TensorFlow's.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { plainGelu } from "./activation.ts";

const FLOAT = { T: { type: "float" } } as const;

/** a: [rows, inner], b: [inner, columns], each transposed where asked, or as many of them in both or one in a, [..., rows, inner] -> [..., rows, columns]. */
export function product(
  a: tf.Tensor,
  b: tf.Tensor,
  { transpose }: { transpose?: "left" | "right" | undefined } = {},
): tf.Tensor {
  if (hasKernels()) return rawOp({ left: "RfProductLeft", right: "RfProductRight", none: "RfProduct" }[transpose ?? "none"], {}, [a, b]); // biome-ignore format: one line
  const [left, right] = [transpose === "left", transpose === "right"];
  return a.rank === 2
    ? rawOp("MatMul", { ...FLOAT, transpose_a: left, transpose_b: right }, [a, b])
    : rawOp("BatchMatMulV2", { ...FLOAT, adj_x: left, adj_y: right }, [a, b]);
}

/** x: [... or 1, rows, in], weight: [..., in, out], bias: [..., out] -> [..., rows, out], with an activation behind it where asked. */
export function affineProduct(
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  activation?: "relu" | "gelu" | undefined,
): tf.Tensor {
  const suffix = activation ? ({ relu: "Relu", gelu: "Gelu" } as const)[activation] : "";
  if (hasKernels()) return rawOp(`RfLinear${suffix}`, {}, [x, weight, bias]);
  const [products, starts] = [product(x, weight), bias.rank === 1 ? bias : tf.expandDims(bias, 1)];
  const affine = rawOp(bias.rank === 1 ? "BiasAdd" : "AddV2", FLOAT, [products, starts]);
  products.dispose(); // at once: these are the largest tensors of all
  if (!activation) return affine;
  const y = activation === "relu" ? rawOp("Relu", FLOAT, [affine]) : plainGelu(affine);
  affine.dispose();
  return y;
}

/** The gradient of the bias of an affine map for its output's: rows [rows, out] -> [out], their sum. */
export function biasGradient(rows: tf.Tensor): tf.Tensor {
  return hasKernels() ? rawOp("RfBiasGrad", {}, [rows]) : rawOp("BiasAddGrad", FLOAT, [rows]);
}
