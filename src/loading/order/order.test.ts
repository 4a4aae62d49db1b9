import { describe, expect, test } from "vitest";
import type { Sample } from "../../data/dataset/sample.ts";
import { factLine } from "../../util/text/fact.ts";
import { epochLength, epochOrder } from "../batch/sampler.ts";
import { orderPlan, shownImages } from "./plan.ts";
import { describeOrder, shownBoxes } from "./shown.ts";

const sample = (i: number, labels: readonly number[]): Sample => ({
  ...{ imageId: i, file: `${i}.png`, path: `/${i}.png`, width: 9, height: 9 },
  annotations: labels.map((label, id) => ({ id, categoryId: label, label, box: [0, 0, 2, 2], area: 4, crowd: false })),
});
/** 60 images with boxes of class 0, every tenth also of class 1, and 90 without any. */
const samples = Array.from({ length: 150 }, (_, i) => sample(i, i >= 60 ? [] : i % 10 === 0 ? [0, 1] : [0]));
const classes = ["cat", "dog"].map((name, label) => ({ name, categoryId: label, label }));
const batches = { batchSize: 4, gradAccumSteps: 1, shuffle: true };
const isEmpty = (i: number) => i >= 60;

describe("a share of images without boxes", () => {
  test.each([0, 0.1, 0.25, 0.5])(
    "of %d is never exceeded, and each image with boxes is shown in each epoch",
    (share) => {
      const plan = orderPlan(samples, { ...batches, negatives: share });
      const seen = new Set<number>();
      for (let epoch = 0; epoch < 40; epoch++) {
        const order = epochOrder(3, epoch, plan);
        expect(order).toHaveLength(epochLength(plan));
        const empty = order.filter(isEmpty);
        expect(empty.length).toBeLessThanOrEqual(share * order.length);
        expect(empty.length).toBeGreaterThanOrEqual(Math.floor(share * order.length));
        expect(new Set(empty).size).toBe(empty.length);
        for (const image of empty) seen.add(image);
        expect(new Set(order.filter((i) => !isEmpty(i))).size).toBe(60);
      }
      expect(seen.size).toBe(share === 0 ? 0 : 90); // they take turns
    },
  );

  test("is the same for a seed and epoch, in turn without shuffling, and changes nothing where all fit", () => {
    const plan = orderPlan(samples, { ...batches, negatives: 0.1 });
    expect(epochOrder(3, 5, plan)).toEqual(epochOrder(3, 5, plan));
    expect(epochOrder(3, 5, plan)).not.toEqual(epochOrder(3, 6, plan));
    const inTurn = epochOrder(3, 5, { ...plan, shuffle: false });
    expect(inTurn).toEqual([...inTurn].sort((a, b) => a - b));
    for (const negatives of [0.6, 1])
      expect(epochOrder(3, 5, orderPlan(samples, { ...batches, negatives }))).toEqual(
        epochOrder(3, 5, orderPlan(samples, batches)),
      );
    expect(shownImages(samples, { negatives: 0.25 })).toBe(80);
    expect(shownImages(samples, {})).toBe(150);
  });

  test("holds with re-sampling, too, which then is of the other images", () => {
    const plan = orderPlan(samples, { ...batches, negatives: 0.25, resample: "balanced" });
    const order = epochOrder(1, 0, plan);
    expect(order.filter(isEmpty)).toHaveLength(order.length / 4);
    const dogs = order.filter((i) => !isEmpty(i) && i % 10 === 0).length;
    expect(dogs).toBeGreaterThan(25); // of 60 places; six are theirs without
  });
});

describe("what is shown", () => {
  test("is counted by class over the epochs of a run and the part of the last one", () => {
    const plan = orderPlan(samples, { ...batches, negatives: 0.25 });
    const length = epochLength(plan);
    const twice = shownBoxes(samples, classes, { plan, seed: 3, images: 2 * length });
    expect(twice).toEqual({ annotated: [60, 6], shown: [120, 12], images: 160, empty: 40 });
    const part = shownBoxes(samples, classes, { plan, seed: 3, images: length + 10 });
    const tenth = [...epochOrder(3, 0, plan), ...epochOrder(3, 1, plan).slice(0, 10)];
    expect(part.empty).toBe(tenth.filter(isEmpty).length);
    expect(part.shown[0]).toBe(tenth.length - part.empty);
  });

  test("is said before a run where its order is by class", () => {
    const lines = describeOrder(samples, classes, { ordering: { ...batches, negatives: 0.25 }, seed: 3 }).map(factLine);
    expect(lines).toEqual([
      "An epoch shows: 80 images, 20 of them without boxes; boxes of cat 60 (each of 60 1.00 times), dog 6 (each of 6 1.00 times)",
    ]);
    expect(describeOrder(samples, classes, { ordering: batches, seed: 3 }).map(factLine)).toEqual([
      "An epoch shows 152 images: 2 of the 150 twice, to fill the last step",
    ]);
  });
});
