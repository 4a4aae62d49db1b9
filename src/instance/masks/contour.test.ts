import { expect, test } from "vitest";
import { outerContour } from "./contour.ts";
import { maskRuns } from "./maskRuns.ts";
import { decodeRuns, encodeRuns, type Runs } from "./runs.ts";

const maskOf = (rows: readonly string[]): Runs =>
  encodeRuns(
    rows.flatMap((row) => [...row].map((one) => (one === "x" ? 1 : 0))),
    [rows.length, rows[0]!.length],
  );
const textOf = (mask: Runs): string[] => {
  const [height, width] = mask.size;
  const pixels = decodeRuns(mask);
  return Array.from({ length: height }, (_, y) =>
    [...pixels.subarray(y * width, (y + 1) * width)].map((one) => (one ? "x" : ".")).join(""),
  );
};

/** A polygon through the middles of pixels, drawn as YOLO's files are read. */
const drawn = (contour: number[], size: Runs["size"]) =>
  maskRuns({ polygons: [contour.map((value) => value + 0.5)] }, { size, rule: "pillow", where: "a.txt" });

test.each<[what: string, rows: string[], contour: number[] | null]>([
  ["nothing", ["...", "..."], null],
  ["one pixel", ["...", "..x"], [2, 1]],
  ["a row", [".....", ".xxx."], [1, 1, 3, 1]],
  ["a column", ["x..", "x..", "x.."], [0, 0, 0, 2]],
  ["all of an image", ["xxxx", "xxxx", "xxxx"], [0, 0, 3, 0, 3, 2, 0, 2]],
  ["a diagonal, whose pixels touch at corners", ["x..", ".x.", "..x"], [0, 0, 2, 2]],
  ["a corner", ["x..", "x..", "xxx"], [0, 0, 0, 1, 1, 2, 2, 2, 0, 2]],
  ["a diamond", ["..x..", ".xxx.", "xxxxx", ".xxx.", "..x.."], [0, 2, 2, 0, 4, 2, 2, 4]],
])("the outline of %s", (_, rows, contour) => {
  expect(outerContour(maskOf(rows))).toEqual(contour);
});

test("only the largest part has an outline, and its holes are filled", () => {
  const mask = maskOf(["x.xxxx.x", "x.x..x.x", "..x..x.x", "..xxxx..", "x......."]);
  const contour = outerContour(mask)!;
  expect(contour).toEqual([2, 0, 5, 0, 5, 3, 2, 3]);
  const filled = ["..xxxx..", "..xxxx..", "..xxxx..", "..xxxx..", "........"];
  expect(textOf(drawn(contour, mask.size))).toEqual(filled);
});

test("parts with lines of one pixel, crossings and bays come back", () => {
  const rows = [
    "...x......x...",
    "...x.....x....",
    ".xxxxxxxx..xxx",
    "...x....x.x...",
    "..x.....xx....",
    ".x......x.....",
    "x.......xxxxx.",
  ];
  const mask = maskOf(rows);
  expect(textOf(drawn(outerContour(mask)!, mask.size))).toEqual(rows);
});

test("outlines of 200 blobs, drawn by Pillow's rule, are the blobs but for a pixel here and there", () => {
  let [state, differing, area] = [7, 0, 0];
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  for (let n = 0; n < 200; n++) {
    const [height, width] = [20 + Math.floor(30 * random()), 20 + Math.floor(30 * random())] as const;
    const waves = Array.from({ length: 4 }, () => [3 * random(), 6.3 * random()] as const);
    const [cx, cy, size] = [width * random(), height * random(), 6 + 10 * random()];
    const pixels = Uint8Array.from({ length: height * width }, (_, i) => {
      const [x, y] = [(i % width) - cx, Math.floor(i / width) - cy];
      const angle = Math.atan2(y, x);
      const reach = waves.reduce((sum, [high, shift], k) => sum + high * Math.sin((k + 1) * angle + shift), size);
      return Math.hypot(x, y) < reach ? 1 : 0;
    });
    const mask = encodeRuns(pixels, [height, width]);
    const contour = outerContour(mask);
    if (!contour) continue;
    const again = decodeRuns(drawn(contour, mask.size));
    for (let i = 0; i < pixels.length; i++) {
      area += pixels[i]!;
      if (pixels[i] !== again[i]) differing++;
    }
  }
  expect(area).toBeGreaterThan(30_000);
  expect(differing / area).toBeLessThan(0.005);
});

test("a mask of half a million spans takes bounded time", () => {
  const [height, width] = [1000, 1000];
  const dots = Uint8Array.from({ length: height * width }, (_, i) => ((i % width) + Math.floor(i / width)) % 2);
  const began = performance.now();
  const contour = outerContour(encodeRuns(dots, [height, width]))!;
  expect(contour.length).toBeGreaterThan(4);
  expect(performance.now() - began).toBeLessThan(8000);
});
