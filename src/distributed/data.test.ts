// What goes over the wire: bytes as numbers and back, tensors in buckets.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { loadBackend } from "../engine/backend.ts";
import { apart, bucketsOf, joined } from "./buckets.ts";
import { fromNumbers, lengthNumbers, lengthOf, pieces, toNumbers } from "./bytes.ts";

beforeAll(() => void loadBackend());

test("any bytes come back, those of no number too", () => {
  for (const length of [0, 1, 3, 4, 63, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i % 4 === 3 ? 0x7f : 0xa5 + i)); // signalling NaNs among them
    const numbers = toNumbers(bytes);
    const carried = new Float32Array(numbers.length);
    for (const { from, piece } of pieces(numbers)) carried.set(piece.subarray(0, numbers.length - from), from);
    expect(fromNumbers(carried, length)).toEqual(bytes);
  }
});

test("lengths of gigabytes are exact", () => {
  for (const length of [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 24 + 1, 3 * 2 ** 31 + 7])
    expect(lengthOf(lengthNumbers(length))).toBe(length);
});

test("pieces have few lengths and cover all", () => {
  const numbers = new Float32Array((4 << 20) + 5).fill(1);
  expect([...pieces(numbers)].map(({ from, piece }) => [from, piece.length])).toEqual([[0, 4 << 20], [4 << 20, 16]]); // biome-ignore format: one line
});

test("buckets keep the order and are not fuller than allowed, but for one tensor that is", () => {
  expect(bucketsOf([3, 3, 3, 20, 1, 9], 8)).toEqual([[0, 1], [2], [3], [4], [5]]);
  expect(bucketsOf([], 8)).toEqual([]);
  expect(bucketsOf([8, 8], 8)).toEqual([[0], [1]]);
});

test("tensors come back from buckets in their shapes", () => {
  tf.tidy(() => {
    const tensors = [tf.ones([2, 3]), tf.scalar(5), tf.ones([2 << 20]), tf.zeros([0, 4]), tf.ones([1, 2, 2])];
    const shapes = tensors.map(({ shape }) => shape);
    const vectors = bucketsOf(tensors.map(({ size }) => size)).map((places) => ({
      places,
      vector: joined(tensors, places),
    }));
    expect(vectors.map(({ vector }) => vector.shape)).toEqual([[7], [2 << 20], [4]]);
    const doubled = vectors.flatMap(({ places, vector }) => apart(tf.mul(vector, 2), places, shapes));
    expect(doubled.map(({ shape }) => shape)).toEqual(tensors.map(({ shape }) => shape));
    expect(Array.from(doubled[1]!.dataSync())).toEqual([10]);
    expect(Array.from(doubled[4]!.dataSync())).toEqual([2, 2, 2, 2]);
  });
});
