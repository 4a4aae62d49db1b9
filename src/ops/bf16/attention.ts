// Scaled dot-product attention in bfloat16; the softmax is computed in float32.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { differentiable } from "../differentiable.ts";
import { asBf16, asFloat32, batchMatMulBf16, reshapeAny, transposeBf16 } from "./tensors.ts";

/** Softmax(scale q k^T) v, head by head. q, k, v: [sequences, tokens, dim], bfloat16 -> the same. */
export function bf16DotProduct(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  { heads, inParts }: { heads: number; inParts: InParts },
): tf.Tensor {
  const [sequences, tokens, dim] = q.shape as [number, number, number];
  const scale = 1 / Math.sqrt(dim / heads);
  const split = (x: tf.Tensor) => transposeBf16(reshapeAny(x, [sequences, tokens, heads, dim / heads]), [0, 2, 1, 3]); // [sequences, heads, tokens, dim / heads]
  const merge = (x: tf.Tensor) => reshapeAny(transposeBf16(x, [0, 2, 1, 3]), [sequences, tokens, dim]);
  // not kept but computed again: they are far larger than all else here
  const probabilitiesOf = (qh: tf.Tensor, kh: tf.Tensor) => softmax(batchMatMulBf16(qh, kh, { transposeB: true }), scale); // biome-ignore format: one line
  const scores = heads * tokens * tokens;
  return differentiable(
    { q, k, v },
    (save) => {
      const parts = [split(q), split(k), split(v)];
      save(...parts);
      return merge(inParts(parts, scores, (qs, ks, vs) => [batchMatMulBf16(probabilitiesOf(qs, ks), vs)])[0]!);
    },
    (dy, saved) => {
      const [dq, dk, dv] = inParts([...saved, split(asBf16(dy))], scores, (qs, ks, vs, dOut) => {
        const probabilities = probabilitiesOf(qs, ks);
        const dScores = softmaxGradient(probabilities, batchMatMulBf16(dOut, vs, { transposeB: true }), scale);
        return [
          batchMatMulBf16(dScores, ks),
          batchMatMulBf16(dScores, qs, { transposeA: true }),
          batchMatMulBf16(probabilities, dOut, { transposeA: true }),
        ];
      });
      return { q: () => merge(dq!), k: () => merge(dk!), v: () => merge(dv!) };
    },
  );
}

/** Applies a function to parts of tensors along their first axis, `scores` numbers an index at a time, and joins what it gives. */
type InParts = (tensors: tf.Tensor[], scores: number, f: (...parts: Five) => tf.Tensor[]) => tf.Tensor[];
type Five = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

/** Over the last axis. */
function softmax(scores: tf.Tensor, scale: number): tf.Tensor {
  return tf.tidy(() => {
    if (hasKernels()) return rawOp("RfSoftmaxNarrow", {}, [scores, tf.scalar(scale)]);
    return asBf16(tf.softmax(tf.mul(asFloat32(scores), scale)));
  });
}

function softmaxGradient(probabilities: tf.Tensor, gradients: tf.Tensor, scale: number): tf.Tensor {
  return tf.tidy(() => {
    if (hasKernels()) return rawOp("RfSoftmaxNarrowGrad", {}, [probabilities, gradients, tf.scalar(scale)]);
    const [p, dp] = [asFloat32(probabilities), asFloat32(gradients)];
    const centred = tf.sub(dp, tf.sum(tf.mul(p, dp), -1, true));
    return asBf16(tf.mul(tf.mul(p, centred), scale));
  });
}
