import { describe, expect, it } from "vitest";
import { bestF1 } from "./f1.ts";

const bbox = (x: number) => [x, 0, 10, 10] as const;
const truth = (categoryId: number, x: number) => ({ imageId: 1, categoryId, bbox: bbox(x) });
const found = (categoryId: number, x: number, score: number) => ({ ...truth(categoryId, x), score });
const categories = [1, 2, 3].map((id) => ({ id, name: `class ${id}` }));

describe("bestF1", () => {
  it("takes the lowest threshold that balances best, and the mean over classes that have annotations", () => {
    const groundTruths = [truth(1, 0), truth(1, 20), truth(2, 40)];
    const detections = [found(1, 0, 0.9), found(1, 20, 0.55), found(1, 80, 0.3), found(2, 90, 0.4), found(3, 0, 1)];
    // Above 0.3 the first class is perfect; the second has no hit at any threshold; the third is not annotated.
    expect(bestF1({ groundTruths, detections, categories })).toEqual({
      threshold: 0.31,
      f1: 0.5,
      precision: 0.5,
      recall: 0.5,
    });
  });

  it("lets detections in a crowd count neither way", () => {
    const groundTruths = [truth(1, 0), { ...truth(1, 50), isCrowd: true }];
    const detections = [found(1, 0, 0.5), found(1, 50, 0.9), found(1, 51, 0.8)];
    expect(bestF1({ groundTruths, detections, categories }).f1).toBe(1);
  });

  it("is zero where there is nothing to find", () => {
    const nothing = { threshold: 0, f1: 0, precision: 0, recall: 0 };
    expect(bestF1({ groundTruths: [], detections: [found(1, 0, 1)], categories })).toEqual(nothing);
  });
});
