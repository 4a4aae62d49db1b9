// Multi-head scaled dot-product attention with a hand-derived gradient.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { bf16DotProduct } from "./bf16/attention.ts";
import { narrowed } from "./bf16/linear.ts";
import { precisionNow } from "./bf16/precision.ts";
import { concatAny, sliceAny } from "./bf16/tensors.ts";
import { differentiable } from "./differentiable.ts";
import { type Linear, linear } from "./linear.ts";

/** Projections of multi-head attention, each dim -> dim. */
export type Attention = { query: Linear; key: Linear; value: Linear; output: Linear };

/**
 * Multi-head attention within each sequence. queryKey is what queries and keys are projected from, value what values are
 * projected from; both [sequences, tokens, dim] -> [sequences, tokens, dim]. Scores are scaled by 1 / sqrt(dim / heads).
 */
export function attention(
  { query, key, value, output }: Attention,
  { queryKey, value: values }: { queryKey: tf.Tensor; value: tf.Tensor },
  heads: number,
  { narrow = false } = {},
): tf.Tensor {
  return tf.tidy(() => {
    const bf16 = precisionNow() === "bf16";
    const from = bf16 ? narrowed(queryKey) : queryKey;
    const fromValues = values === queryKey ? from : values;
    const q = linear(query, from, { narrow: true });
    const k = linear(key, from, { narrow: true });
    const v = linear(value, fromValues, { narrow: true });
    if (bf16) return linear(output, bf16DotProduct(q, k, v, { heads, inParts }), { narrow });
    return linear(output, scaledDotProduct(q, k, v, heads));
  });
}

/** Scores that exist at a time, in numbers: sequences are taken in parts of about this many. */
const MOST_SCORES = 10_000_000;

/**
 * Softmax(q k^T / sqrt(dim / heads)) v, head by head. q, k, v: [sequences, tokens, dim] -> [sequences, tokens, dim]. Scores are far larger
 * than all else here, so they are not kept but computed again on the way back.
 */
export function scaledDotProduct(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads: number): tf.Tensor {
  if (!hasKernels()) return plainDotProduct(q, k, v, heads);
  return differentiable(
    { q, k, v },
    (save) => {
      const out = tf.tidy(() => rawOp("RfAttention", {}, [q, k, v, tf.scalar(heads)]));
      save(q, k, v, out);
      return out;
    },
    (dy, saved) => {
      const [qs, ks, vs, out] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const gradients = tf.tidy(() => rawOps("RfAttentionGrad", {}, [qs, ks, vs, tf.scalar(heads), out, dy], 3));
      return { q: () => gradients[0]!, k: () => gradients[1]!, v: () => gradients[2]! };
    },
  );
}

/** The same by TensorFlow's operations. */
function plainDotProduct(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads: number): tf.Tensor {
  const [sequences, tokens, dim] = q.shape as [number, number, number];
  const scale = 1 / Math.sqrt(dim / heads);
  const split = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [sequences, -1, heads, dim / heads]), [0, 2, 1, 3]); // [sequences, heads, tokens, dim / heads]
  const merge = (x: tf.Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [sequences, tokens, dim]);
  const probabilitiesOf = (qh: tf.Tensor, kh: tf.Tensor) => tf.tidy(() => tf.softmax(tf.matMul(qh, kh, false, true)));
  return differentiable(
    { q, k, v },
    (save) => {
      const [qh, kh, vh] = [split(tf.mul(q, scale)), split(k), split(v)];
      const [attended] = inParts([qh, kh, vh], heads * tokens * tokens, (qs, ks, vs) => [
        tf.matMul(probabilitiesOf(qs, ks), vs),
      ]);
      const out = merge(attended!);
      save(qh, kh, vh, out);
      return out;
    },
    (dy, [qh, kh, vh, out]) => {
      // sum over keys of dP * P equals the sum over the head's channels of dy * out
      const dots = tf.tidy(() => {
        const perHead = tf.sum(tf.reshape(tf.mul(dy, out!), [sequences, tokens, heads, dim / heads]), -1);
        return tf.expandDims(tf.transpose(perHead, [0, 2, 1]), -1); // [sequences, heads, tokens, 1]
      });
      const inputs = [qh!, kh!, vh!, split(dy), dots];
      const [dq, dk, dv] = inParts(inputs, heads * tokens * tokens, (qs, ks, vs, dOut, dot) => {
        const probabilities = probabilitiesOf(qs, ks);
        const dScores = tf.tidy(() => {
          const dProbabilities = tf.matMul(dOut, vs, false, true);
          const centred = tf.sub(dProbabilities, dot);
          dProbabilities.dispose();
          return tf.mul(probabilities, centred);
        });
        return [
          tf.matMul(dScores, ks),
          tf.matMul(dScores, qs, true, false),
          tf.matMul(probabilities, dOut, true, false),
        ];
      });
      return { q: () => tf.mul(merge(dq!), scale), k: () => merge(dk!), v: () => merge(dv!) };
    },
  );
}

type Parts = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

/** Apply `f` to parts of the tensors along their first axis, `scores` numbers an index at a time, and join what it gives. */
function inParts(tensors: tf.Tensor[], scores: number, f: (...parts: Parts) => tf.Tensor[]): tf.Tensor[] {
  const sequences = tensors[0]!.shape[0]!;
  const size = Math.max(1, Math.floor(MOST_SCORES / scores));
  if (size >= sequences) return tf.tidy(() => f(...(tensors as Parts)));
  return tf.tidy(() => {
    const parts: tf.Tensor[][] = [];
    for (let from = 0; from < sequences; from += size) {
      const count = Math.min(size, sequences - from);
      parts.push(tf.tidy(() => f(...(tensors.map((x) => sliceAny(x, from, count)) as Parts))));
    }
    return parts[0]!.map((_, i) => concatAny(parts.map((part) => part[i]!)));
  });
}
