import { describe, expect, it } from "vitest";
import type { Batch } from "../loading/batch/batch.ts";
import { alignClasses, evaluateModel, usualMaxDets } from "./evaluate.ts";
import { metricsOf } from "./metricsRow.ts";

it("a model for crowds counts as many detections as it gives, any other 500", () => {
  expect([undefined, 100, 500, 900].map((numSelect) => usualMaxDets(numSelect === undefined ? {} : { numSelect }))).toEqual([500, 500, 500, 900]); // biome-ignore format: one line
});

const classes = [
  { name: "cat", categoryId: 4, label: 0 },
  { name: "dog", categoryId: 9, label: 1 },
];
const sample = (imageId: number, ...boxes: [x1: number, y1: number, x2: number, y2: number][]) => ({
  ...{ imageId, file: `${imageId}.jpg`, path: `${imageId}.jpg`, width: 100, height: 80 },
  annotations: boxes.map((box, i) => ({ id: i, categoryId: 9, label: 1, box, area: 400, crowd: false })),
});

async function* batches(...ids: number[][]): AsyncGenerator<Pick<Batch, "imageIds" | "broken">> {
  for (const imageIds of ids) yield { imageIds, broken: [] };
}

describe("evaluateModel", () => {
  it("collects what was found in every batch, in the data set's category ids", async () => {
    const samples = [sample(1, [10, 10, 30, 30], [50, 50, 50, 60]), sample(2), sample(3, [0, 0, 20, 20])];
    const where: Record<number, number[]> = { 1: [10, 10, 30, 30], 2: [5, 5, 9, 9], 3: [0, 0, 20, 20] };
    const done: number[] = [];
    const result = await evaluateModel({
      detect: ({ imageIds }) =>
        imageIds.map((id) => ({
          boxes: Float32Array.from([...where[id]!, 0, 0, 1, 1]),
          scores: Float32Array.of(id === 2 ? 0.1 : 0.9, 0.8),
          labels: Int32Array.of(1, 2), // the last slot is no class of the data set
        })),
      batches: batches([1, 2], [3]),
      onBatch: (images) => done.push(images),
      ...{ samples, classes },
    });
    expect(done).toEqual([2, 3]);
    expect(result.detections).toHaveLength(3);
    expect(result.detections[0]).toMatchObject({ imageId: 1, categoryId: 9, bbox: [10, 10, 20, 20] });
    expect(result.metrics["AP50:95"]).toBeCloseTo(1, 9); // the box without area is not asked for
    const row = metricsOf(result);
    expect(row).toMatchObject({ F1: 1, AR500: 1, per_class: { dog: { AR: 1, annotations: 2 }, cat: { AR: -1 } } });
  });
});

describe("alignClasses", () => {
  const model = (...names: string[]) => names.map((name, label) => ({ name, label, categoryId: label }));

  it("goes by class names where the model and the data set share any, and says what is left", () => {
    const shared = alignClasses(model("dog", "bird"), classes, "w.pth");
    expect([0, 1, 2].map(shared.categoryOf)).toEqual([9, undefined, undefined]);
    expect(shared.warning).toMatch(/the model knows no cat, .*the data set knows no bird/);
    const same = alignClasses(model("Dog ", "cat"), classes, "w.pth");
    expect([0, 1].map(same.categoryOf)).toEqual([9, 4]);
    expect(same.warning).toBeUndefined();
  });

  it("goes by order where the model has no names, and says so", () => {
    const { categoryOf, warning } = alignClasses(model("class 0", "class 1"), classes, "w.pth");
    expect([0, 1, 2].map(categoryOf)).toEqual([4, 9, undefined]);
    expect(warning).toMatch(/w\.pth does not know the names .* in the order of the data set's, cat, dog/);
  });

  it("refuses a model of other classes, as many as they are", () => {
    const three = model("a", "b", "c");
    expect(() => alignClasses(three, classes, "w.pth")).toThrow("w.pth was not trained for this data set");
    expect(() => alignClasses(model("cup", "plate"), classes, "w.pth")).toThrow("no class name is shared");
  });
});
