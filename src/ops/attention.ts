// Multi-head scaled dot-product attention with a hand-derived gradient.

import * as tf from "@tensorflow/tfjs-core";
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
): tf.Tensor {
  return tf.tidy(() => {
    const q = linear(query, queryKey);
    const k = linear(key, queryKey);
    const v = linear(value, values);
    return linear(output, scaledDotProduct(q, k, v, heads));
  });
}

/** Softmax(q k^T / sqrt(dim / heads)) v, head by head. q, k, v: [sequences, tokens, dim] -> [sequences, tokens, dim]. */
export function scaledDotProduct(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads: number): tf.Tensor {
  const [sequences, tokens, dim] = q.shape as [number, number, number];
  const scale = 1 / Math.sqrt(dim / heads);
  const split = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [sequences, -1, heads, dim / heads]), [0, 2, 1, 3]); // [sequences, heads, tokens, dim / heads]
  const merge = (x: tf.Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [sequences, tokens, dim]);
  // [sequences, heads, tokens, tokens]; far larger than all else here, so it is not kept but computed again
  const probabilitiesOf = (qh: tf.Tensor, kh: tf.Tensor) => tf.tidy(() => tf.softmax(tf.matMul(qh, kh, false, true)));
  return differentiable(
    { q, k, v },
    (save) => {
      const qh = split(tf.mul(q, scale));
      const kh = split(k);
      const vh = split(v);
      const out = merge(tf.matMul(probabilitiesOf(qh, kh), vh));
      save(qh, kh, vh, out);
      return out;
    },
    (dy, saved) => {
      const [qh, kh, vh, out] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const probabilities = probabilitiesOf(qh, kh);
      const dOut = split(dy);
      // sum over keys of dP * P equals the sum over the head's channels of dy * out
      const dots = tf.tidy(() => {
        const perHead = tf.sum(tf.reshape(tf.mul(dy, out), [sequences, tokens, heads, dim / heads]), -1);
        return tf.expandDims(tf.transpose(perHead, [0, 2, 1]), -1); // [sequences, heads, tokens, 1]
      });
      const dScores = tf.tidy(() => tf.mul(probabilities, tf.sub(tf.matMul(dOut, vh, false, true), dots)));
      return {
        q: () => tf.mul(merge(tf.matMul(dScores, kh)), scale),
        k: () => merge(tf.matMul(dScores, qh, true, false)),
        v: () => merge(tf.matMul(probabilities, dOut, true, false)),
      };
    },
  );
}
