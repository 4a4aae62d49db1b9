import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cocoAp } from "./cocoAp.ts";

type Row = [number, number, number, number];
type Case = {
  categories: number[];
  maxDets: number[];
  annotations: [id: number, imageId: number, categoryId: number, ...bbox: Row, area: number, isCrowd: number][];
  detections: [imageId: number, categoryId: number, ...bbox: Row, score: number][];
  expected: {
    metrics: Record<string, number>;
    perClass: [ap: number, ap50: number, ar: number][];
    curveSums: { precision: number; scores: number };
  };
};

/** Cases and what pycocotools says of them; made by scripts/fixtures/make-ap-fixtures.py. AP_CASES names another file of them. */
const FILE = process.env.AP_CASES ?? join(import.meta.dirname, "../../tests/fixtures/ap/cases.json");
const CASES = JSON.parse(readFileSync(FILE, "utf8")) as Case[];

function evaluate({ categories, maxDets, annotations, detections }: Case) {
  return cocoAp({
    categories: categories.map((id) => ({ id, name: String(id) })),
    maxDets,
    groundTruths: annotations.map(([id, imageId, categoryId, x, y, width, height, area, isCrowd]) => ({
      ...{ id, imageId, categoryId, area },
      ...{ bbox: [x, y, width, height], isCrowd: isCrowd === 1 },
    })),
    detections: detections.map(([imageId, categoryId, x, y, width, height, score]) => ({
      ...{ imageId, categoryId, score },
      bbox: [x, y, width, height],
    })),
  });
}

const box = { imageId: 1, categoryId: 1, bbox: [10, 10, 40, 40] as const };
const categories = [{ id: 1, name: "tree" }];

describe("cocoAp", () => {
  it("equals pycocotools in every metric, class and curve", () => {
    for (const [i, one] of CASES.entries()) {
      const { metrics, perClass, curves } = evaluate(one);
      expect(Object.keys(metrics)).toEqual(Object.keys(one.expected.metrics));
      for (const [key, value] of Object.entries(one.expected.metrics)) {
        expect(Math.abs(metrics[key]! - value), `case ${i}: ${key} ${metrics[key]} and ${value}`).toBeLessThan(1e-9);
      }
      const ours = perClass.flatMap((of) => [of["AP50:95"], of.AP50, of.AR]);
      for (const [k, value] of one.expected.perClass.flat().entries()) expect(ours[k]).toBeCloseTo(value, 9);
      const sum = (x: Float64Array) => x.reduce((a, b) => a + b, 0);
      expect(sum(curves.precision)).toBeCloseTo(one.expected.curveSums.precision, 6);
      expect(sum(curves.scores)).toBeCloseTo(one.expected.curveSums.scores, 6);
    }
  });

  it("is 1 for perfect detections and 0 without any", () => {
    const perfect = cocoAp({ groundTruths: [box], detections: [{ ...box, score: 0.3 }], categories });
    expect(perfect.metrics).toMatchObject({ AR: 1, AR1: 1, APs: -1, APl: -1 });
    expect(perfect.metrics["AP50:95"]).toBeCloseTo(1, 12);
    expect(perfect.metrics.APm).toBeCloseTo(1, 12);
    const none = cocoAp({ groundTruths: [box], detections: [], categories });
    expect(none.metrics).toMatchObject({ "AP50:95": 0, AR: 0 });
  });

  it("is -1 where there is nothing to find", () => {
    const { metrics, perClass } = cocoAp({ groundTruths: [], detections: [{ ...box, score: 1 }], categories });
    expect(new Set(Object.values(metrics))).toEqual(new Set([-1]));
    expect(perClass).toEqual([{ id: 1, name: "tree", "AP50:95": -1, AP50: -1, AP75: -1, AR: -1, annotations: 0 }]);
  });

  it("leaves out boxes of categories that are not listed", () => {
    const other = { ...box, categoryId: 7 };
    const detections = [{ ...box, score: 0.2 }, { ...other, score: 0.9 }]; // biome-ignore format: one line
    expect(cocoAp({ groundTruths: [box, other], detections, categories }).metrics.AP50).toBeCloseTo(1, 12);
  });

  it("counts no match with annotation 0, as pycocotools, but does where annotations have no ids", () => {
    const detections = [{ ...box, score: 1 }];
    expect(cocoAp({ groundTruths: [{ ...box, id: 0 }], detections, categories }).metrics.AP50).toBe(0);
    expect(cocoAp({ groundTruths: [box], detections, categories }).metrics.AP50).toBeCloseTo(1, 12);
  });
});
