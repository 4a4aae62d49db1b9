import { expect, test } from "vitest";
import { outerContour } from "./contour.ts";
import { maskOutline } from "./outline.ts";
import { polygonRuns } from "./polygon.ts";
import { runsArea } from "./runs.ts";

const disc = (radius: number, size: [number, number]) =>
  polygonRuns(
    Array.from({ length: 400 }, (_, i) => 100 + radius * (i % 2 ? Math.sin : Math.cos)((Math.PI * (i >> 1)) / 100)),
    size,
  );

test("the outline of a disc has few corners, and what it encloses is nearly the disc", () => {
  const mask = disc(80, [220, 230]);
  expect(outerContour(mask)!.length).toBeGreaterThan(150);
  const outline = maskOutline(mask, { most: 80, tolerance: 1 });
  expect(outline.length).toBeLessThanOrEqual(64);
  const area = runsArea(polygonRuns(outline, [220, 230]));
  expect(area / runsArea(mask)).toBeGreaterThan(0.96);
  expect(area / runsArea(mask)).toBeLessThan(1.02);
});

test("where few corners are asked for there are no more, whatever the tolerance", () => {
  const outline = maskOutline(disc(90, [220, 230]), { most: 10, tolerance: 0.1 });
  expect(outline.length).toBeLessThanOrEqual(10);
  expect(outline.length).toBeGreaterThanOrEqual(6);
  expect(outline.every(Number.isInteger)).toBe(true);
});

test("a rectangle keeps its four corners; a pixel is one, and an empty mask has none", () => {
  const all = { size: [4, 5] as const, counts: Uint32Array.of(0, 20) };
  expect(maskOutline(all, { most: 80, tolerance: 0.5 })).toEqual([0, 0, 4, 0, 4, 3, 0, 3]);
  expect(maskOutline({ size: [4, 5], counts: Uint32Array.of(9, 1, 10) }, { most: 80, tolerance: 1 })).toEqual([2, 1]);
  expect(maskOutline({ size: [4, 5], counts: Uint32Array.of(20) }, { most: 80, tolerance: 1 })).toEqual([]);
});
