import { expect, test } from "vitest";
import { COCO_CLASSES } from "../data/dataset/cocoNames.ts";
import type { OperatingPoint } from "../instance/operating/point.ts";
import { type DetectorFacts, fromMetadata, toMetadata } from "./metadata.ts";

const FACTS: DetectorFacts = {
  classes: [
    { label: 0, name: 'ä, "b"', categoryId: 7 },
    { label: 2, name: "__proto__", categoryId: 3 },
  ],
  resolution: 384,
  numSelect: 20,
  precision: "fp32",
  outputs: "raw",
  masks: false,
  architecture: { hidden_dim: 256 },
  version: "1.2.3",
  weights: { source: "here", sha256: "00" },
  run: "trees",
  epoch: 4,
  threshold: 0.35,
};

test("classes and the number of detections survive the way into a file and out of it", () => {
  const metadata = toMetadata(FACTS);
  expect(fromMetadata(metadata, 4)).toEqual({ classes: FACTS.classes, numSelect: 20, threshold: 0.35 });
  expect(Object.values(metadata).every((value) => typeof value === "string")).toBe(true);
  expect(JSON.parse(metadata.names!)).toEqual(JSON.parse('{"0":"ä, \\"b\\"","2":"__proto__"}'));
  expect(metadata).toMatchObject({
    resolution: "384",
    imgsz: "[384,384]",
    run: "trees",
    epoch: "4",
    rfdetr_train: "1.2.3",
  });
  expect(metadata.mean).toBe("[0.485,0.456,0.406]");
});

test("thresholds by label survive as well, and stand for themselves for whoever reads nothing else", () => {
  const operatingPoint: OperatingPoint = {
    rule: { by: "precision", at: 0.9 },
    ...{ reached: true, threshold: 0.4, images: 60 },
    classes: [
      { label: 0, name: 'ä, "b"', boxes: 50, threshold: 0.3 },
      { label: 2, name: "__proto__", boxes: 5, threshold: null },
    ],
    precision: { low: 0.82, expected: 0.87, high: 0.91 },
    recall: null,
  };
  const metadata = toMetadata({ ...FACTS, operatingPoint });
  expect(metadata).toMatchObject({ threshold: "0.4", thresholds: '{"0":0.3}' });
  expect(fromMetadata(metadata, 4)).toMatchObject({ threshold: 0.4, operatingPoint });
  const damaged = { ...metadata, operating_point: metadata.operating_point!.replace("0.3", "3") };
  expect(fromMetadata(damaged, 4)).toMatchObject({ threshold: 0.4, operatingPoint: undefined });
});

test("a segmenter says what its masks are, in a decoded file as well", () => {
  expect(toMetadata(FACTS)).toMatchObject({ task: "detection" });
  expect(toMetadata(FACTS)).not.toHaveProperty("masks");
  const [raw, decoded] = (["raw", "decoded"] as const).map((outputs) => toMetadata({ ...FACTS, outputs, masks: true }));
  expect(raw).toMatchObject({ task: "segmentation", masks: expect.stringContaining("above 0 is inside") });
  expect(decoded!.masks).toMatch(/^1 inside/);
});

test("what a run does not have is left out", () => {
  const keys = Object.keys(toMetadata({ ...FACTS, run: undefined, epoch: undefined, threshold: undefined }));
  expect(keys.filter((key) => ["run", "epoch", "threshold"].includes(key))).toEqual([]);
});

test.each(["2", "-1", "null", "much"])("a threshold of %s in a file counts for nothing", (threshold) => {
  expect(fromMetadata({ ...toMetadata(FACTS), threshold }, 4).threshold).toBeUndefined();
});

test.each([
  ["nothing", {}],
  ["no JSON", { classes: "[{", num_select: "many" }],
  ["something else", { classes: '"trees"', num_select: "-3" }],
  ["classes without labels", { classes: '[{"name":"tree"}]', num_select: "1.5" }],
  ["labels that are no numbers", { classes: '[{"label":"0","name":"tree","category_id":1}]', num_select: "null" }],
])("metadata of %s give classes by number, or COCO's", (_, metadata: Record<string, string>) => {
  const { classes, numSelect } = fromMetadata(metadata, 3);
  expect(classes.map(({ name }) => name)).toEqual(["class 0", "class 1"]);
  expect(numSelect).toBe(300);
  expect(fromMetadata(metadata, 91).classes).toEqual(COCO_CLASSES);
  expect(fromMetadata(metadata, undefined).classes).toEqual([]);
});
