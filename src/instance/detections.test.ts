import { expect, test } from "vitest";
import { toPixels } from "./detections.ts";
import { maskFromLogits } from "./masks/fromLogits.ts";

test("each detection has its query's mask at the size of its image, where its score is high enough for one", () => {
  const logits = Float32Array.from({ length: 2 * 3 * 6 }, (_, i) => Math.sin(i * i));
  const ranked = {
    ...{ scores: [0.9, 0.5, 0.2, 0.8, 0.4, 0.1], indices: [5, 0, 4, 1, 2, 3], boxes: new Float32Array(2 * 3 * 4) },
    ...{ count: 3, queries: 3, classes: 2, masks: { logits, size: [2, 3] as const } },
  };
  const sizes = [[10, 12], [7, 5]] as const; // biome-ignore format: one line
  const maskOf = (query: number, image: number) =>
    maskFromLogits(logits.slice((image * 3 + query) * 6, (image * 3 + query + 1) * 6), [2, 3], sizes[image]!);
  const all = toPixels(ranked, sizes);
  const queries = [[2, 0, 2], [0, 1, 1]]; // biome-ignore format: one line
  for (const [image, { shapes }] of all.entries())
    expect(shapes).toEqual(queries[image]!.map((query) => ({ mask: maskOf(query, image) })));
  const some = toPixels(ranked, sizes, { maskFrom: 0.45 });
  expect(some.map(({ shapes }) => shapes!.map(({ mask }) => mask !== undefined))).toEqual([
    [true, true, false],
    [true, false, false],
  ]);
  expect(toPixels({ ...ranked, masks: undefined }, sizes)[0]).not.toHaveProperty("shapes");
});
