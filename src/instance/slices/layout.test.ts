import { expect, test } from "vitest";
import { partsOf, slicesFrom } from "./layout.ts";

test("parts are whole, cover the picture, and overlap by at least what is asked", () => {
  for (const [height, width, size, overlap] of [
    [1000, 1700, 640, 0.2],
    [641, 640, 640, 0.5],
    [97, 33, 32, 0.9],
    [2000, 300, 512, 0],
  ] as const) {
    const parts = partsOf([height, width], { size, overlap });
    const lefts = [...new Set(parts.map(({ left }) => left))];
    const tops = [...new Set(parts.map(({ top }) => top))];
    expect(parts).toHaveLength(lefts.length * tops.length);
    for (const [starts, length] of [
      [lefts, width],
      [tops, height],
    ] as const) {
      // biome-ignore format: one line
      const side = Math.min(size, length);
      expect([starts[0], starts.at(-1)]).toEqual([0, length - side]);
      for (const [i, start] of starts.slice(1).entries())
        expect(starts[i]! + side - start).toBeGreaterThanOrEqual(Math.trunc(overlap * size));
    }
    for (const part of parts) {
      expect([part.width, part.height]).toEqual([Math.min(size, width), Math.min(size, height)]);
      expect(part.picture).toEqual([height, width]);
    }
  }
  expect(partsOf([1000, 1700], { size: 640, overlap: 0.2 }).map(({ left, top }) => [left, top])).toEqual([
    [0, 0], [512, 0], [1024, 0], [1060, 0], [0, 360], [512, 360], [1024, 360], [1060, 360],
  ]); // biome-ignore format: two rows
});

test("a picture that is no larger than a part has none, and one of too many is refused", () => {
  expect(partsOf([640, 640], { size: 640, overlap: 0.2 })).toEqual([]);
  expect(() => partsOf([20_000, 20_000], { size: 64, overlap: 0.5 })).toThrow(
    "A picture of 20000 x 20000 has 389376 parts of 64 pixels: that is more than 65536.",
  );
});

test("the setting is read from what a file carries, and nothing else is taken for it", () => {
  const slices = { size: 640, overlap: 0.25 };
  expect(slicesFrom(slices)).toEqual(slices);
  expect(slicesFrom(JSON.stringify(slices))).toEqual(slices);
  for (const other of [undefined, null, "640", {}, { size: 8, overlap: 0.2 }, { size: 640.5, overlap: 0.2 }, { size: 640, overlap: 1 }, '{"size":640}']) // biome-ignore format: one line
    expect(slicesFrom(other)).toBeUndefined();
});
