import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { expectClose, random } from "../../../tests/support/gradients.ts";
import { loadBackend } from "../../engine/backend.ts";
import { sampleChannels, sampleEach, samplePixels, spreadEach, tapsAt, uniformNumbers } from "./points.ts";

beforeAll(() => void loadBackend());

const [ROWS, COLUMNS] = [3, 4] as const;
/** Corners, centres of cells, between four cells, and beyond the outermost centres. */
const POINTS = [0, 0, 1, 1, 0.125, 0.5, 0.25, 1 / 3, 0.99, 0.02, 0.5, 0.5];

/** Bilinear between cell centres; what lies outside is as on the border. */
function bilinear(map: ArrayLike<number>, x: number, y: number): number {
  const clip = (at: number, most: number) => Math.min(Math.max(at, 0), most);
  const [px, py] = [clip(x * COLUMNS - 0.5, COLUMNS - 1), clip(y * ROWS - 0.5, ROWS - 1)];
  const at = (row: number, column: number) => map[Math.min(row, ROWS - 1) * COLUMNS + Math.min(column, COLUMNS - 1)]!;
  const [left, top] = [Math.floor(px), Math.floor(py)];
  const [fx, fy] = [px - left, py - top];
  const upper = at(top, left) * (1 - fx) + at(top, left + 1) * fx;
  return upper * (1 - fy) + (at(top + 1, left) * (1 - fx) + at(top + 1, left + 1) * fx) * fy;
}

test("maps are sampled between the centres of their cells, beyond the outermost ones as there", () => {
  const maps = random([2, ROWS * COLUMNS], 1);
  const points = tf.tensor3d([...POINTS, ...POINTS.toReversed()], [2, 6, 2]);
  const values = maps.arraySync() as number[][];
  const wanted = [POINTS, POINTS.toReversed()].flatMap((list, i) =>
    Array.from({ length: 6 }, (_, k) => bilinear(values[i]!, list[2 * k]!, list[2 * k + 1]!)),
  );
  expectClose(sampleEach(maps, tapsAt(points, [ROWS, COLUMNS])), wanted, 1e-6);
  const channels = tf.expandDims(tf.slice(maps, [0, 0], [1, -1]), 2);
  const shared = tapsAt(tf.tensor2d(POINTS, [6, 2]), [ROWS, COLUMNS]);
  expectClose(sampleChannels(channels, shared), wanted.slice(0, 6), 1e-6);
});

test("spreadEach is the transpose of sampleEach", () => {
  const [maps, dy] = [random([2, ROWS * COLUMNS], 1), random([2, 6], 2)];
  const taps = tapsAt(tf.randomUniform([2, 6, 2], 0, 1, "float32", 3), [ROWS, COLUMNS]);
  const there = tf.sum(tf.mul(sampleEach(maps, taps), dy)).dataSync()[0]!;
  const back = tf.sum(tf.mul(maps, spreadEach(dy, taps, ROWS * COLUMNS))).dataSync()[0]!;
  expect(back).toBeCloseTo(there, 5);
});

test("pixels are taken nearest to the point, halves to the even one, each row of its own mask", () => {
  const pixels = Uint8Array.of(0, 1, 0, 1, 1, 0, 1, 0); // two masks of 1 x 4 pixels
  const given = tf.tensor3d(pixels, [2, 1, 4], "bool");
  const x = [0, 0.1, 0.3, 0.25, 0.5, 0.75, 1]; // 0.25 is between pixels 0 and 1, 0.5 between 1 and 2, 0.75 between 2 and 3
  const nearest = [0, 0, 1, 0, 2, 2, 3];
  const points = tf.tensor3d(x.flatMap((one) => [one, 0.5]), [1, x.length, 2]); // biome-ignore format: one line
  const found = samplePixels(given, tf.tensor2d([[1], [0]], [2, 1], "int32"), points);
  expect(found.arraySync()).toEqual([nearest.map((i) => pixels[4 + i]), nearest.map((i) => pixels[i])]);
});

test("numbers of a seed are the same each time, and others than those of another", () => {
  const of = (...seed: number[]) => uniformNumbers({ seed: tf.tensor1d(seed, "int32") }, [50, 2]).dataSync();
  expect(of(3, 4)).toEqual(of(3, 4));
  expect(of(3, 4)).not.toEqual(of(3, 5));
  expect([...of(3, 4)].every((x) => x >= 0 && x < 1)).toBe(true);
});
