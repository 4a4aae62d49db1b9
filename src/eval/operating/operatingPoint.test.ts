import { describe, expect, it, test } from "vitest";
import { syntheticScores } from "../../../tests/support/syntheticScores.ts";
import { confirm } from "../../instance/operating/confirm.ts";
import { expectedOf } from "../../instance/operating/point.ts";
import { bestF1 } from "../f1.ts";
import { countScores } from "./counts.ts";
import { measureAt } from "./measureAt.ts";
import { operatingPoint } from "./operatingPoint.ts";

const CLASSES = [
  { label: 0, categoryId: 1, name: "crown" },
  { label: 1, categoryId: 2, name: "shrub" },
];
const box = (x: number) => [x, 0, 10, 10] as const;
const truth = (imageId: number, categoryId: number, x: number) => ({ imageId, categoryId, bbox: box(x) });
const BEST = { rule: { by: "best-f1", at: null }, classes: CLASSES, seed: 7 } as const;

/** 40 crowns that score 0.6, with alarms at 0.3; `shrubs` shrubs that score 0.2, with alarms at 0.1. */
function objects(shrubs: number) {
  const groundTruths = [];
  const detections = [];
  for (let imageId = 1; imageId <= 40; imageId++) {
    groundTruths.push(truth(imageId, 1, 0));
    detections.push({ ...truth(imageId, 1, 0), score: 0.6 }, { ...truth(imageId, 1, 500), score: 0.3 });
    if (imageId > shrubs) continue;
    groundTruths.push(truth(imageId, 2, 100));
    detections.push({ ...truth(imageId, 2, 100), score: 0.2 }, { ...truth(imageId, 2, 700), score: 0.1 });
  }
  return { groundTruths, detections, categories: CLASSES.map(({ categoryId: id, name }) => ({ id, name })) };
}

describe("operatingPoint", () => {
  it("gives each class the threshold of its own best F1, and one with too few boxes that of all", () => {
    const [many, few] = [objects(40), objects(10)];
    const own = operatingPoint(countScores(many), { ...BEST, images: 40 })!;
    expect(own.threshold).toBe(Number(bestF1(many).threshold.toFixed(2)));
    expect(own.classes).toEqual([
      { label: 0, name: "crown", boxes: 40, threshold: 0.31 },
      { label: 1, name: "shrub", boxes: 40, threshold: 0.11 },
    ]);
    const shared = operatingPoint(countScores(few), { ...BEST, images: 40 })!;
    expect(shared.classes[1]).toEqual({ label: 1, name: "shrub", boxes: 10, threshold: null });
    expect(own.precision).toMatchObject({ expected: 1, high: 1 });
    expect(own.precision!.low).toBeGreaterThan(0.85); // 80 boxes that are all right do not promise 1
    expect(own.precision!.low).toBeLessThan(0.99);
  });

  it("takes the lowest threshold of the precision asked for, the highest of the recall, or says that there is none", () => {
    const scores = [0.95, 0.9, 0.8, 0.7, 0.6, 0.5];
    const groundTruths = [0, 1, 3, 5].map((i) => truth(1, 1, 100 * i)); // the 3rd and the 5th detection are wrong
    const detections = scores.map((score, i) => ({ ...truth(1, 1, 100 * i), score }));
    const counts = countScores({ groundTruths, detections, categories: [{ id: 1, name: "crown" }] });
    const at = (by: "precision" | "recall", share: number) => {
      const { threshold, reached } = operatingPoint(counts, { ...BEST, rule: { by, at: share }, images: 1 })!;
      return [threshold, reached];
    };
    expect(at("precision", 0.75)).toEqual([0.61, true]);
    expect(at("precision", 1)).toEqual([0.81, true]);
    expect(at("recall", 0.5)).toEqual([0.9, true]);
    expect(at("recall", 1)).toEqual([0.5, true]);
    const missing = countScores({ groundTruths: [...groundTruths, truth(1, 1, 5000)], detections, categories: [{ id: 1, name: "crown" }] }); // biome-ignore format: one line
    const { reached, threshold } = operatingPoint(missing, { ...BEST, rule: { by: "recall", at: 0.95 }, images: 1 })!;
    expect([reached, threshold]).toEqual([false, 0]); // as the best F1, the lowest of equals
  });

  it("is the same for the same seed, and nothing where nothing was found", () => {
    const counts = countScores(syntheticScores(40, 3));
    const of = (seed: number) => operatingPoint(counts, { ...BEST, images: 40, seed });
    expect(of(7)).toEqual(of(7));
    expect(of(7)).not.toEqual(of(8));
    const empty = { groundTruths: [truth(1, 1, 0)], detections: [], categories: [{ id: 1, name: "crown" }] };
    expect(operatingPoint(countScores(empty), { ...BEST, images: 1 })).toBeUndefined();
  });

  it("promises what other images then come to, in at least 17 of 20", () => {
    let [precision, recall] = [0, 0];
    for (let split = 0; split < 20; split++) {
      const { groundTruths, detections, categories } = syntheticScores(60, split);
      const classes = categories.map(({ id, name }) => ({ label: id - 1, categoryId: id, name }));
      const point = operatingPoint(countScores({ groundTruths, detections, categories }), { ...BEST, classes, images: 60 })!; // biome-ignore format: one line
      const measured = measureAt(point, countScores(syntheticScores(60, 1000 + split)), classes);
      const confirmed = confirm(point, measured, 60);
      precision += Number(confirmed.precision!.held);
      recall += Number(confirmed.recall!.held);
    }
    expect(precision).toBeGreaterThanOrEqual(17);
    expect(recall).toBeGreaterThanOrEqual(17);
  });
});

test("fewer images than it was chosen on may come to more and to less", () => {
  const one = { low: 0.7, expected: 0.8, high: 0.85 };
  expect(expectedOf(one, { images: 100, chosenOn: 100 })).toEqual({ low: expect.closeTo(0.7), expected: 0.8, high: expect.closeTo(0.85) }); // biome-ignore format: one line
  expect(expectedOf(one, { images: 10, chosenOn: 70 })).toEqual({ low: expect.closeTo(0.6), expected: 0.8, high: expect.closeTo(0.9) }); // biome-ignore format: one line
});
