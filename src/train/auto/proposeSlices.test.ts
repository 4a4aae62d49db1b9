import { expect, test } from "vitest";
import type { Sample } from "../../data/dataset/sample.ts";
import { proposeSlices } from "./proposeSlices.ts";

/** Pictures of one size, each with objects of these sides. */
function pictures(width: number, height: number, sides: readonly number[], crowd = false): Sample[] {
  return Array.from({ length: 4 }, (_, imageId) => ({
    ...{ imageId, file: "", path: "", width, height },
    annotations: sides.map((side, id) => {
      return { id, categoryId: 1, label: 0, area: side ** 2, crowd, box: [0, 0, side, side] as [number, number, number, number] }; // biome-ignore format: one line
    }),
  }));
}

const SIDES = [20, 20, 22, 25, 30, 40, 60, 100, 200, 500];

test("parts are proposed where objects are small at the model's resolution, so that they are not in the parts", () => {
  const found = proposeSlices(pictures(4000, 3000, SIDES), { resolution: 384 })!;
  expect(found.small).toBe(0.7); // those of less than 10 * sqrt(4000 * 3000) / 384 = 90 pixels
  expect(found).toMatchObject({ size: 768, overlap: 0.2, parts: 7 * 5 });
  expect((384 / found.size) * 20).toBeGreaterThanOrEqual(10);
});

test("parts are no smaller than the images that the model takes, and pictures count whole where they are no larger", () => {
  const all = [...pictures(2000, 2000, [5, 6]), ...pictures(300, 200, [50, 60])];
  const found = proposeSlices(all, { resolution: 512 })!;
  expect(found).toMatchObject({ small: 0.5, size: 512, parts: (25 + 1) / 2 });
});

test("nothing is proposed where objects are large enough, pictures have no more pixels, or there is nothing to go by", () => {
  expect(proposeSlices(pictures(4000, 3000, [300, 400, 500]), { resolution: 384 })).toBeNull();
  expect(proposeSlices(pictures(400, 400, [3, 4, 5]), { resolution: 384 })).toBeNull();
  expect(proposeSlices(pictures(4000, 3000, SIDES, true), { resolution: 384 })).toBeNull();
  expect(proposeSlices(pictures(4000, 3000, SIDES).map((one) => ({ ...one, width: null })), { resolution: 384 })).toBeNull(); // biome-ignore format: one line
  expect(proposeSlices([], { resolution: 384 })).toBeNull();
});
