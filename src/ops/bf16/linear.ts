// Affine maps in bfloat16: products of rounded numbers, which alone are kept for the gradient, summed in float32 and rounded.

import * as tf from "@tensorflow/tfjs-core";
import { isBfloat16 } from "../../engine/backend.ts";
import { differentiable } from "../differentiable.ts";
import { type Activation, type AffineInputs, affine, affineGradients } from "./affine.ts";
import { asBf16, asFloat32, batchMatMulBf16, matMulBf16, reshapeAny } from "./tensors.ts";

/** The tensor in bfloat16, for several operations that take it; on the tape. */
export function narrowed(x: tf.Tensor): tf.Tensor {
  if (isBfloat16(x)) return x;
  return differentiable(
    { x },
    () => asBf16(x),
    (dy) => ({ x: () => asFloat32(dy) }),
  );
}

/** The tensor in float32; on the tape. */
export function widened(x: tf.Tensor): tf.Tensor {
  if (!isBfloat16(x)) return x;
  return differentiable(
    { x },
    () => asFloat32(x),
    (dy) => ({ x: () => asBf16(dy) }),
  );
}

/** The tensor, of either element type, in another shape; on the tape. */
export function reshaped(x: tf.Tensor, shape: number[]): tf.Tensor {
  if (!isBfloat16(x)) return tf.reshape(x, shape);
  return differentiable(
    { x },
    () => reshapeAny(x, shape),
    (dy) => ({ x: () => reshapeAny(dy, x.shape) }),
  );
}

/** `linear` in bfloat16. x: [..., in], of either element type, as its gradient is -> [..., out]. */
export function bf16Linear(
  { weight, bias }: { weight: tf.Tensor; bias?: tf.Tensor },
  x: tf.Tensor,
  { activation, narrow = false }: { activation?: Activation | undefined; narrow?: boolean | undefined } = {},
): tf.Tensor {
  const [input, out] = weight.shape as [number, number];
  const like = isBfloat16(x) ? asBf16 : asFloat32;
  const inputs: Record<string, tf.Tensor> = bias ? { x, weight, bias } : { x, weight };
  return differentiable(
    inputs,
    (save) => {
      const rows = reshapeAny(asBf16(x), [x.size / input, input]);
      const w = asBf16(weight);
      const product = matMulBf16(rows, w);
      const y = bias ? affine(product, bias, { activation, narrow }) : narrow ? product : asFloat32(product);
      save(rows, w, ...(activation === "relu" ? [y] : activation === "gelu" ? [product, bias!] : []));
      return reshapeAny(y, [...x.shape.slice(0, -1), out]);
    },
    (dy, [rows, w, ...of]) => {
      const flat = reshapeAny(dy, [dy.size / out, out]);
      const from: AffineInputs =
        activation === "relu"
          ? { activation, y: of[0]! }
          : activation === "gelu"
            ? { activation, product: of[0]!, bias: of[1]! }
            : {};
      const { d, dBias } = bias ? affineGradients(flat, from) : { d: asBf16(flat), dBias: undefined };
      return {
        x: () => reshapeAny(like(matMulBf16(d, w!, { transposeB: true })), x.shape),
        weight: () => asFloat32(matMulBf16(rows!, d, { transposeA: true })),
        bias: () => dBias!,
      };
    },
  );
}

/** `groupedLinear` in bfloat16. x: [groups or 1, rows, in], float32 -> [groups, rows, out], float32. */
export function bf16GroupedLinear({ weight, bias }: { weight: tf.Tensor; bias: tf.Tensor }, x: tf.Tensor): tf.Tensor {
  return differentiable(
    { x, weight, bias },
    (save) => {
      const [low, w] = [asBf16(x), asBf16(weight)];
      save(low, w);
      return tf.add(asFloat32(batchMatMulBf16(low, w)), tf.expandDims(bias, 1));
    },
    (dy, [low, w]) => {
      const d = asBf16(dy);
      return {
        x: () => {
          const dx = asFloat32(batchMatMulBf16(d, w!, { transposeB: true }));
          return x.shape[0] === 1 ? tf.sum(dx, 0, true) : dx;
        },
        weight: () => asFloat32(batchMatMulBf16(low!, d, { transposeA: true })),
        bias: () => tf.sum(dy, 1),
      };
    },
  );
}
