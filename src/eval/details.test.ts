import { expect, test } from "vitest";
import type { ImageOutcome } from "../run/records/evaluation.ts";
import type { Detection, GroundTruth } from "./boxMatching.ts";
import { cocoAp } from "./cocoAp.ts";
import { evaluationDetails, MOST_CLASSES, worstAndBest } from "./details.ts";
import { bestOf, f1Sweep } from "./f1.ts";

const TREE = 3;
const BUSH = 7;
const names = [
  { id: TREE, name: "tree" },
  { id: BUSH, name: "bush" },
];

const truth = (imageId: number, categoryId: number, x: number, more: Partial<GroundTruth> = {}): GroundTruth => ({
  ...{ imageId, categoryId, bbox: [x, 0, 10, 20] },
  ...more,
});
const seen = (imageId: number, categoryId: number, x: number, score = 0.9): Detection => ({
  ...{ imageId, categoryId, bbox: [x, 0, 10, 20], score },
});

function details(groundTruths: GroundTruth[], detections: Detection[], categories = names, threshold?: number) {
  const all = { groundTruths, detections, categories };
  const sweep = f1Sweep(all);
  const f1 = threshold === undefined ? bestOf(sweep) : { ...bestOf(sweep), f1: 0.5, threshold };
  return evaluationDetails({ ...cocoAp(all), f1, f1Sweep: sweep, images: 2, broken: [], ...all });
}

test("the confusion matrix has true classes as rows, taken-for classes as columns, background last", () => {
  const { confusion } = details(
    [truth(1, TREE, 0), truth(1, TREE, 100), truth(1, BUSH, 200), truth(2, BUSH, 0)],
    [seen(1, TREE, 0), seen(1, BUSH, 100), seen(1, TREE, 500), seen(1, TREE, 600), seen(2, BUSH, 0)],
  );
  expect(confusion.classes).toEqual(["tree", "bush"]);
  expect(confusion.counts).toEqual([
    [1, 1, 0], // a tree was found, another was taken for a bush
    [0, 1, 1], // a bush was found, another was not
    [2, 0, 0], // two trees that are none
  ]);
});

test("an object belongs to a detection of its class, even where one of another class overlaps it more", () => {
  const { confusion, images } = details([truth(1, TREE, 0)], [seen(1, TREE, 2, 0.5), seen(1, BUSH, 0, 0.95)], names, 0);
  expect(confusion.counts).toEqual([
    [1, 0, 0],
    [0, 0, 0],
    [0, 1, 0],
  ]);
  expect(images).toEqual([{ imageId: 1, found: 1, missed: 0, wrong: 1, quality: 8 / 12 / 1.5 }]);
});

test("detections below the threshold of the best F1 do not count", () => {
  const { threshold, confusion } = details(
    [truth(1, TREE, 0), truth(2, TREE, 0)],
    [seen(1, TREE, 0, 0.8), seen(2, TREE, 0, 0.7), seen(1, TREE, 300, 0.6)],
  );
  expect(threshold).toBeGreaterThan(0.6);
  expect(threshold).toBeLessThanOrEqual(0.7);
  expect(confusion.counts[2]).toEqual([0, 0, 0]);
});

test("where nothing was found, detections count from a confidence of one half", () => {
  const { threshold, confusion } = details([truth(1, TREE, 0)], [seen(1, TREE, 300, 0.4), seen(1, TREE, 600, 0.6)]);
  expect(threshold).toBe(0.5);
  expect(confusion.counts).toEqual([
    [0, 0, 1],
    [0, 0, 0],
    [1, 0, 0],
  ]);
});

test("a crowd is no object, and detections of its class inside it count neither way", () => {
  const crowd = truth(1, TREE, 0, { bbox: [0, 0, 400, 400], isCrowd: true });
  const { confusion, images } = details([crowd, truth(1, BUSH, 500)], [seen(1, TREE, 20), seen(1, BUSH, 40)], names, 0);
  expect(confusion.counts).toEqual([
    [0, 0, 0],
    [0, 0, 1],
    [0, 1, 0],
  ]);
  expect(images).toEqual([{ imageId: 1, found: 0, missed: 1, wrong: 1, quality: 0 }]);
});

test("the mean of the curves over recalls and thresholds is the AP", () => {
  const truths = [truth(1, TREE, 0), truth(1, TREE, 50), truth(2, BUSH, 0), truth(2, BUSH, 90)];
  const found = [seen(1, TREE, 1), seen(2, BUSH, 3, 0.8), seen(1, TREE, 300, 0.85), seen(2, BUSH, 90, 0.3)];
  const { precisionRecall } = details(truths, found);
  const { metrics } = cocoAp({ groundTruths: truths, detections: found, categories: names });
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  expect(mean(precisionRecall.mean!["0.50"])).toBeCloseTo(metrics.AP50!, 3);
  expect(mean(precisionRecall.mean!["0.75"])).toBeCloseTo(metrics.AP75!, 3);
  expect(mean(precisionRecall.mean!["0.50:0.95"])).toBeCloseTo(metrics["AP50:95"]!, 3);
  expect(precisionRecall.classes.map(({ name }) => name)).toEqual(["tree", "bush"]);
  expect(precisionRecall.recalls).toHaveLength(101);
});

test("without any object there is no curve, and false alarms still show", () => {
  const { precisionRecall, confusion, images } = details([], [seen(4, BUSH, 0)], names, 0.5);
  expect(precisionRecall).toMatchObject({ mean: null, classes: [] });
  expect(confusion.counts[2]).toEqual([0, 1, 0]);
  expect(images).toEqual([{ imageId: 4, found: 0, missed: 0, wrong: 1, quality: 0 }]);
  expect(details([], [])).toMatchObject({ images: [] });
});

test("of very many classes those with the fewest objects are merged", () => {
  const categories = Array.from({ length: MOST_CLASSES + 5 }, (_, i) => ({ id: i + 1, name: `class ${i + 1}` }));
  const truths = categories.slice(3).map(({ id }) => truth(1, id, 50 * id)); // 1, 2 and 3 have none
  const { confusion, precisionRecall } = details(truths, [seen(1, 105, 50 * 105), seen(1, 1, 0)], categories, 0);
  expect(confusion.classes).toHaveLength(MOST_CLASSES + 1);
  expect(confusion.classes.at(-1)).toBe("5 other classes");
  expect(confusion.counts.flat().reduce((a, b) => a + b, 0)).toBe(truths.length + 1);
  expect(confusion.counts[MOST_CLASSES + 1]![MOST_CLASSES]).toBe(1);
  expect(precisionRecall.classes).toHaveLength(MOST_CLASSES);
});

test("worst and best images do not overlap, and images with nothing in them are neither", () => {
  const image = (imageId: number, quality: number | null, wrong = 0): ImageOutcome => ({
    ...{ imageId, found: 1, missed: 0, wrong, quality },
  });
  const images = [image(1, 0.9), image(2, 0.1), image(3, null), image(4, 0.1, 5), image(5, 0.5), image(6, 1)];
  const ids = (each: number) => {
    const { worst, best } = worstAndBest(images, each);
    return [worst.map(({ imageId }) => imageId), best.map(({ imageId }) => imageId)];
  };
  expect(ids(2)).toEqual([
    [4, 2],
    [6, 1],
  ]);
  expect(ids(6)).toEqual([
    [4, 2, 5],
    [6, 1],
  ]);
  expect(worstAndBest([], 3)).toEqual({ worst: [], best: [] });
});
