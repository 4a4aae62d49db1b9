// Tensors in groups of some megabytes: each group is summed up over all workers as one vector.

import * as tf from "@tensorflow/tfjs-core";

/** As measured: less is more operations, more is memory that is copied out of the processor's caches. */
const BUCKET_NUMBERS = 1 << 19; // 2 MB

/** Places of tensors in groups, in order; a group has at most so many numbers, or one tensor. */
export function bucketsOf(sizes: readonly number[], most = BUCKET_NUMBERS): number[][] {
  const buckets: number[][] = [];
  let room = 0;
  for (const [place, size] of sizes.entries()) {
    if (size > room || buckets.length === 0) {
      buckets.push([]);
      room = most;
    }
    buckets.at(-1)!.push(place);
    room -= size;
  }
  return buckets;
}

/** The tensors at some places as one vector. */
export function joined(tensors: readonly tf.Tensor[], places: readonly number[]): tf.Tensor1D {
  const flat = places.map((place) => tf.reshape(tensors[place]!, [-1]) as tf.Tensor1D);
  return flat.length === 1 ? flat[0]! : tf.concat1d(flat);
}

/** A vector of `joined` as tensors of their own shapes, by place. */
export function apart(vector: tf.Tensor, places: readonly number[], shapes: readonly number[][]): tf.Tensor[] {
  const own = places.map((place) => shapes[place]!);
  const parts = own.length === 1 ? [vector] : tf.split(vector, own.map(tf.util.sizeFromShape));
  return parts.map((part, i) => tf.reshape(part, own[i]!));
}
