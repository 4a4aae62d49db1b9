import { expect, it } from "vitest";
import { COCO_CLASSES } from "./cocoNames.ts";

it("the 80 classes have COCO's ids, gaps included", () => {
  expect(COCO_CLASSES).toHaveLength(80);
  const ids = COCO_CLASSES.map(({ categoryId }) => categoryId);
  const gaps = Array.from({ length: 91 }, (_, id) => id).filter((id) => !ids.includes(id));
  expect(gaps).toEqual([0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);
  const named = Object.fromEntries(COCO_CLASSES.map(({ categoryId, name }) => [categoryId, name]));
  expect(named).toMatchObject({ 1: "person", 18: "dog", 44: "bottle", 67: "dining table", 82: "refrigerator", 90: "toothbrush" }); // biome-ignore format: one line
});
