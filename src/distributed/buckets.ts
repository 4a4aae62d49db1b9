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

/** `combine` of the tensors of all sets, bucket by bucket, in their own shapes; `sets` are of the same shapes. */
export function inBuckets(
  sets: readonly (readonly tf.Tensor[])[],
  combine: (vectors: tf.Tensor1D[], bucket: number) => tf.Tensor,
): tf.Tensor[] {
  const shapes = sets[0]!.map(({ shape }) => shape);
  const sizes = sets[0]!.map(({ size }) => size);
  return bucketsOf(sizes).flatMap((places, bucket) =>
    tf.tidy(() => {
      const combined = combine(sets.map((tensors) => vectorOf(places.map((place) => tensors[place]!))), bucket); // biome-ignore format: one line
      const parts = places.length === 1 ? [combined] : tf.split(combined, places.map((place) => sizes[place]!)); // biome-ignore format: one line
      return parts.map((part, i) => tf.reshape(part, shapes[places[i]!]!));
    }),
  );
}

function vectorOf(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  const flat = tensors.map((tensor) => tf.reshape(tensor, [-1]) as tf.Tensor1D);
  return flat.length === 1 ? flat[0]! : tf.concat1d(flat);
}
