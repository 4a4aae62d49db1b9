// How the gradient of each weight is distributed, in the buckets that TensorBoard's own histograms have.

import type * as tf from "@tensorflow/tfjs-core";
import type { Histogram } from "../../util/histogram.ts";

/** Upper edges of the buckets: a tenth more from one to the next, from 1e-12 to 1e20, mirrored below zero. */
const LIMITS: Float64Array = (() => {
  const positive: number[] = [];
  for (let edge = 1e-12; edge < 1e20; edge *= 1.1) positive.push(edge);
  return Float64Array.from([...positive.map((edge) => -edge).reverse(), 0, ...positive, Number.MAX_VALUE]);
})();

/** One histogram a weight, by its path; reads every gradient from the device. */
export async function gradientHistograms(gradients: ReadonlyMap<string, tf.Tensor>): Promise<Map<string, Histogram>> {
  const histograms = new Map<string, Histogram>();
  for (const [path, gradient] of gradients) histograms.set(path, histogram(await gradient.data()));
  return histograms;
}

/** The distribution of finite numbers; buckets that are empty at both ends are left out. */
export function histogram(values: ArrayLike<number>): Histogram {
  const counts = new Float64Array(LIMITS.length);
  let [min, max, sum, sumSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    counts[bucketOf(value)]!++;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    sumSquares += value * value;
  }
  const first = Math.max(0, counts.findIndex((count) => count > 0) - 1); // an empty one below says where the first begins
  const last = counts.findLastIndex((count) => count > 0);
  const shown = <Numbers extends Float64Array>(numbers: Numbers) => [...numbers.subarray(first, last + 1)];
  return { min, max, num: values.length, sum, sumSquares, limits: shown(LIMITS), counts: shown(counts) };
}

/** The first bucket whose upper edge is not below the value. */
function bucketOf(value: number): number {
  let [low, high] = [0, LIMITS.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (LIMITS[middle]! >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}
