import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Mask } from "../instance.ts";
import { maskFromLogits } from "./fromLogits.ts";
import { maskRuns } from "./maskRuns.ts";
import { regionIou, regionOf } from "./overlap.ts";
import { decodeRuns, encodeRuns, packRuns, runsArea, runsFromChanges, unpackRuns } from "./runs.ts";

type Size = [height: number, width: number];

/** Made by scripts/fixtures/make-mask-fixtures.py. */
const FIXTURE = new URL("../../../tests/fixtures/masks/masks.json.gz", import.meta.url);
const expected: {
  polygons: { size: Size; polygons: number[][]; counts: string; area: number }[];
  runs: { size: Size; runs: number[]; counts: string; area: number }[];
  pairs: { size: Size; counts: [string, string]; iou: [plain: number, crowd: number] }[];
  pillow: { size: Size; fractions: number[]; counts: string }[];
  logits: { from: Size; to: Size; logits: number[]; counts: string }[];
} = JSON.parse(gunzipSync(readFileSync(FIXTURE)).toString());

const read = (mask: Mask, size: Size | null, rule?: "coco" | "pillow") =>
  maskRuns(mask, { size, ...(rule && { rule }), where: "a.json: annotation 7" });

test("600 polygons of one and several parts are drawn as pycocotools draws them, to the bit", () => {
  for (const { size, polygons, counts, area } of expected.polygons) {
    const runs = read({ polygons }, size);
    expect(packRuns(runs), JSON.stringify(polygons)).toBe(counts);
    expect(runsArea(runs)).toBe(area);
  }
});

test("400 masks become pycocotools' runs and texts, and come back", () => {
  for (const { size, runs, counts, area } of expected.runs) {
    expect(unpackRuns(counts)).toEqual(runs);
    const mask = read({ size, counts }, size);
    expect([...mask.counts]).toEqual(runs);
    expect(packRuns(mask)).toBe(counts);
    expect(runsArea(mask)).toBe(area);
    const pixels = decodeRuns(mask);
    expect(pixels.reduce((sum, one) => sum + one, 0)).toBe(area);
    expect(packRuns(encodeRuns(pixels, size))).toBe(counts);
  }
});

test("400 polygons of YOLO files are drawn as Pillow draws them, to the bit", () => {
  for (const { size, fractions, counts } of expected.pillow) {
    const polygon = fractions.map((one, i) => one * (i % 2 === 0 ? size[1] : size[0]));
    expect(packRuns(read({ polygons: [polygon] }, size, "pillow")), JSON.stringify(fractions)).toBe(counts);
  }
});

test("300 pairs of masks have pycocotools' IoU, with crowds too", () => {
  for (const { size, counts, iou } of expected.pairs) {
    const [a, b] = counts.map((one) => regionOf(read({ size, counts: one }, size)));
    expect(regionIou(a!, b!)).toBeCloseTo(iou[0], 12);
    expect(regionIou(a!, b!, { crowd: true })).toBeCloseTo(iou[1], 12);
  }
});

test("logits become masks as torch's bilinear resizing and a threshold of 0 make them", () => {
  for (const { from, to, logits, counts } of expected.logits)
    expect(maskFromLogits(Float32Array.from(logits), from, to)).toEqual({ size: to, counts });
});

test("logits that are nowhere above 0 have an empty mask, and 0 is not above", () => {
  expect(maskFromLogits(new Float32Array(12), [3, 4], [30, 40])).toEqual({ size: [30, 40], counts: "`U1" });
});

test("runs of nothing and of all, and places that are there twice", () => {
  expect([...runsFromChanges([], [2, 3]).counts]).toEqual([6]);
  expect([...runsFromChanges([0], [2, 3]).counts]).toEqual([0, 6]);
  expect([...runsFromChanges([1, 1, 3, 3, 4], [2, 3]).counts]).toEqual([4, 2]);
  expect(regionOf(runsFromChanges([], [2, 3]))).toEqual({ changes: new Uint32Array(0), area: 0, box: [0, 0, 0, 0] });
  expect(regionIou(regionOf(runsFromChanges([], [2, 3])), regionOf(runsFromChanges([0], [2, 3])))).toBe(0);
});

test.each<[mask: Mask, says: string]>([
  [{ size: [10, 20], counts: "~~" }, "the mask has a text of run lengths that is damaged"],
  [{ size: [10, 20], counts: "oooooooooooooooooo" }, "the mask has a text of run lengths that is damaged"],
  [{ size: [10, 20], counts: [50, -3, 153] }, "the mask has a run of -3 pixels"],
  [{ size: [10, 20], counts: [50, 3.5] }, "the mask has a run of 3.5 pixels"],
  [{ size: [10, 20], counts: [50, 3] }, "has runs of 53 pixels in all, but 20 x 10 are 200"],
  [{ size: [10, 20], counts: [2 ** 40] }, "has runs of 1099511627776 pixels in all"],
  [{ size: [20, 10], counts: [200] }, "the mask is of an image of 10 x 20, but its image is 20 x 10"],
  [{ size: [1e9, 1e9], counts: [1e18] }, "has the size [1000000000,1000000000]"],
  [{ size: [-1, 20], counts: [] }, "has the size [-1,20]"],
  [{ size: [Number.NaN, 20], counts: [] }, "has the size [null,20]"],
  [{ polygons: [[0, 0, 1e300, 0, 5, 5]] }, "the mask has a corner at 1e+300"],
])("%j is refused, with its place", (mask, says) => {
  expect(() => read(mask, [10, 20])).toThrow(says);
  expect(() => read(mask, [10, 20])).toThrow(/^a\.json: annotation 7: the mask /);
});

test.each(["coco", "pillow"] as const)(
  "outlines that never end are refused quickly (%s)",
  (rule) => {
    const side = 4000;
    const across = Array.from({ length: 200_000 }, (_, i) => (i % 4 < 2 ? 0 : side) + (i % 7));
    const began = process.cpuUsage();
    expect(() => read({ polygons: [across] }, [side, side], rule)).toThrow("passes the");
    const dense = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? 10 + (i % 5) : 20 + (i % 3)));
    expect(runsArea(read({ polygons: [dense] }, [side, side], rule))).toBeLessThan(100);
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(5); // seconds, of which other programs take nothing
  },
  60_000,
);

test("corners far outside of the image cost nothing", () => {
  const runs = read({ polygons: [[-9e7, -9e7, 9e7, -9e7, 9e7, 9e7, -9e7, 9e7]] }, [10, 20]);
  expect([...runs.counts]).toEqual([0, 200]);
});
