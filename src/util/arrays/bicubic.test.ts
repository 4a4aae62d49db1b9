import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { rngFromSeed } from "../random/rng.ts";
import { bicubicWeights, resizeSquare } from "./bicubic.ts";

/** Cell by cell, rows first: the order of the sums that checkpoints are resized in. */
function cellByCell(data: Float32Array, side: number, channels: number, to: number): Float32Array {
  const weights = bicubicWeights(side, to);
  const out = new Float32Array(to * to * channels);
  for (let y = 0; y < to; y++)
    for (let x = 0; x < to; x++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let j = 0; j < side; j++) {
          let column = 0;
          for (let i = 0; i < side; i++) column += weights[y * side + i]! * data[(i * side + j) * channels + c]!;
          sum += weights[x * side + j]! * column;
        }
        out[(y * to + x) * channels + c] = sum;
      }
  return out;
}

const digest = (data: Float32Array) => createHash("sha256").update(new Uint8Array(data.buffer)).digest("hex");

test.each([
  [24, 10],
  [24, 37],
  [24, 44],
  [37, 24],
])("position embeddings of %i a side resized to %i have the bytes of sums taken cell by cell", (side, to) => {
  const channels = 3;
  const rng = rngFromSeed(1);
  const data = Float32Array.from({ length: side * side * channels }, () => rng.normal() * 0.02);
  const resized = resizeSquare(data, channels, { to });
  expect(resized.length).toBe(to * to * channels);
  expect(digest(resized)).toBe(digest(cellByCell(data, side, channels, to)));
});

test("a grid of the size that is asked for is left alone", () => {
  const data = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect(resizeSquare(data, 2, { to: 2 })).toBe(data);
});
