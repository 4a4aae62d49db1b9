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
  return differentiable(
    { q, k, v },
    (save) => {
      const qh = split(tf.mul(q, scale));
      const kh = split(k);
      const vh = split(v);
      const probabilities = tf.softmax(tf.matMul(qh, kh, false, true)); // [sequences, heads, tokens, tokens]
      const out = tf.matMul(probabilities, vh);
      save(qh, kh, vh, probabilities, out);
      return merge(out);
    },
    (dy, saved) => {
      const [qh, kh, vh, probabilities, out] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const dOut = split(dy);
      // sum over keys of dP * P equals sum over the head's channels of dOut * out
      const dScores = tf.tidy(() => {
        const dProbabilities = tf.matMul(dOut, vh, false, true);
        return tf.mul(probabilities, tf.sub(dProbabilities, tf.sum(tf.mul(dOut, out), -1, true)));
      });
      return {
        q: () => tf.mul(merge(tf.matMul(dScores, kh)), scale),
        k: () => merge(tf.matMul(dScores, qh, true, false)),
        v: () => merge(tf.matMul(probabilities, dOut, true, false)),
      };
    },
  );
}
