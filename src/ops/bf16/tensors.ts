// Tensors of bfloat16, float32's range with 8 bits of precision: what is computed with them, off the tape. tfjs' own functions refuse them.

import * as tf from "@tensorflow/tfjs-core";
import { isBfloat16, rawOp } from "../../engine/backend.ts";

/** bfloat16 numbers nearest to the tensor's; itself where it holds such already. */
export function asBf16(x: tf.Tensor): tf.Tensor {
  return isBfloat16(x) ? x : rawOp("Cast", { SrcT: FLOAT, DstT: BF16, Truncate: false }, [x]);
}

/** The same numbers as float32; itself where it is so already. */
export function asFloat32(x: tf.Tensor): tf.Tensor {
  return isBfloat16(x) ? rawOp("Cast", { SrcT: BF16, DstT: FLOAT, Truncate: false }, [x]) : x;
}

const FLOAT = { type: "float" } as const;
const BF16 = { type: "bfloat16" } as const;

/** A float32 or bfloat16 tensor in another shape of as many numbers. */
export function reshapeAny(x: tf.Tensor, shape: number[]): tf.Tensor {
  if (!isBfloat16(x)) return tf.reshape(x, shape);
  return rawOp("Reshape", { T: BF16, Tshape: { type: "int32" } }, [x, tf.tensor1d(shape, "int32")]);
}

/** `count` indices of the first axis of a float32 or bfloat16 tensor. */
export function sliceAny(x: tf.Tensor, from: number, count: number): tf.Tensor {
  if (!isBfloat16(x)) return tf.slice(x, from, count);
  const [begin, size] = [x.shape.map(() => 0), [...x.shape]];
  [begin[0], size[0]] = [from, count];
  return rawOp("Slice", { T: BF16, Index: { type: "int32" } }, [
    x,
    tf.tensor1d(begin, "int32"),
    tf.tensor1d(size, "int32"),
  ]);
}

/** Along the first axis; all of one element type. */
export function concatAny(tensors: tf.Tensor[]): tf.Tensor {
  if (!isBfloat16(tensors[0]!)) return tf.concat(tensors);
  const attributes = { T: BF16, N: tensors.length, Tidx: { type: "int32" } } as const;
  return rawOp("ConcatV2", attributes, [...tensors, tf.scalar(0, "int32")]);
}

export function transposeBf16(x: tf.Tensor, axes: number[]): tf.Tensor {
  return rawOp("Transpose", { T: BF16, Tperm: { type: "int32" } }, [x, tf.tensor1d(axes, "int32")]);
}

/** a: [m, k] (transposed: [k, m]), b: [k, n] (transposed: [n, k]), bfloat16 -> [m, n], bfloat16. */
export function matMulBf16(
  a: tf.Tensor,
  b: tf.Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): tf.Tensor {
  return rawOp("MatMul", { T: BF16, transpose_a: transposeA, transpose_b: transposeB }, [a, b]);
}

/** `matMulBf16` for each index of the leading axes, which may be 1 in one of the two. */
export function batchMatMulBf16(
  a: tf.Tensor,
  b: tf.Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): tf.Tensor {
  return rawOp("BatchMatMulV2", { T: BF16, adj_x: transposeA, adj_y: transposeB }, [a, b]);
}
