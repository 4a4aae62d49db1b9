import { expect, it } from "vitest";
import { coco, image, roboflow, root } from "../../../../tests/support/datasetFolder.ts";
import { loadDataset } from "../dataset.ts";
import { segmenterProblems } from "./masks.ts";
import { scanDataset } from "./scan.ts";

const WHOLE = [[2, 2, 10, 2, 10, 8, 2, 8]];
/** A frame of one pixel around columns 2 to 9 and rows 2 to 7. */
const RING = [[2, 2, 10, 2, 10, 8, 2, 8, 2, 3, 3, 3, 3, 7, 9, 7, 9, 3, 2, 3]];

async function annotated(...segmentations: unknown[]) {
  const one = coco("a.png", 1, ...segmentations.map((): [number, number, number, number] => [2, 2, 8, 6]));
  const annotations = one.annotations.map((annotation, i) => ({ ...annotation, segmentation: segmentations[i], category_id: 1 + (i % 2) })); // biome-ignore format: one line
  const categories = [{ id: 1, name: "leaf" }, { id: 2, name: "stone" }]; // biome-ignore format: one line
  await roboflow({ ...one, annotations, categories }, { ...coco("b.png", 1, [1, 1, 2, 2]), categories });
  await image("train/a.png", 20, 10, 5);
  return loadDataset({ dir: root }, { strict: false });
}

const says = (problems: { kind: string; severity: string }[]) =>
  problems.filter(({ kind }) => kind.includes("mask")).map(({ kind, severity }) => [kind, severity]);

it("masks are counted, and those that are empty, have holes or lie elsewhere are found", async () => {
  const elsewhere = [[12, 2, 18, 2, 18, 8, 12, 8]];
  const dataset = await annotated(WHOLE, RING, [[2, 2, 2, 2, 2, 2]], elsewhere, [], { size: [20, 10], counts: [200] });
  const report = await scanDataset(dataset);
  expect(report.splits.train!.masks).toEqual({ masks: 5, without: 1, empty: 1, withHoles: 1, offBox: 1 });
  expect(report.splits.val).not.toHaveProperty("masks");
  expect(says(report.problems)).toEqual([
    ["mask-empty", "warning"],
    ["mask-off-box", "warning"],
    ["mask-unusable", "warning"],
    ["mask-holes", "warning"],
    ["mask-missing", "warning"],
  ]);
  const of = (kind: string) => report.problems.find((problem) => problem.kind === kind)!;
  expect(of("mask-off-box")).toMatchObject({ file: "a.png", annotationId: 4 });
  expect(of("mask-off-box").message).toMatch(/has a mask from 12, 2 to 18, 8, but a box from 2, 2 to 10, 8\.$/);
  expect(of("mask-unusable").message).toMatch(/annotation 6 \(image a\.png\): the mask is of an image of 10 x 20/);
  expect(of("mask-missing").message).toContain("1 of 6 objects have no mask");
  expect(report.ok).toBe(true);
  const forSegmenter = await scanDataset(dataset, { segmenter: true });
  expect(forSegmenter.ok).toBe(false);
});

it("a segmenter does not train on masks that cannot be used, each of which is named", async () => {
  const dataset = await annotated(WHOLE, "none", [["x"]], { size: [10, 20], counts: "~" }, { size: [10, 20] }, null);
  expect(dataset.problems.filter(({ kind }) => kind === "mask-unusable")).toHaveLength(3);
  const found = segmenterProblems(dataset);
  expect(found.map(({ severity, annotationId }) => [severity, annotationId])).toEqual([
    ["error", 2],
    ["error", 3],
    ["error", 5],
    ["error", 4],
  ]);
});

it("a segmenter needs masks to learn from", async () => {
  const [problem] = segmenterProblems(await annotated([], null));
  expect(problem).toMatchObject({ kind: "no-masks", severity: "error" });
  expect(segmenterProblems(await annotated(WHOLE, null))).toEqual([]);
});

it("finds nothing wrong with the nuclei, whose masks have no holes", async () => {
  const dir = new URL("../../../../datasets/nuclei", import.meta.url).pathname;
  const report = await scanDataset(await loadDataset({ dir }), { queries: 40, segmenter: true });
  expect(report.problems).toEqual([]);
  const nothing = { without: 0, empty: 0, withHoles: 0, offBox: 0 };
  expect(report.splits.train).toMatchObject({ images: 77, boxes: 631, masks: { masks: 631, ...nothing } });
  expect(report.splits.val).toMatchObject({ images: 8, boxes: 56, masks: { masks: 56, ...nothing } });
});
