import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Annotation, Sample } from "../data/dataset/sample.ts";
import type { Mask } from "../instance/instance.ts";
import { maskBox } from "../instance/maskBox.ts";
import type { Batch } from "../loading/batch/batch.ts";
import type { Detection, GroundTruth } from "./boxMatching.ts";
import { cocoAp } from "./cocoAp.ts";
import { evaluationDetails } from "./details.ts";
import { evaluateModel } from "./evaluate.ts";
import { f1Sweep } from "./f1.ts";
import { compareMasks } from "./maskAp.ts";
import { evaluateResults } from "./measure.ts";
import { toObjects } from "./predict/objects.ts";

type Entry = { image_id: number; category_id: number; segmentation: string };
type Truth = Entry & { id: number; bbox: [number, number, number, number]; area: number; iscrowd: number };

/** Made by scripts/fixtures/make-mask-ap-fixtures.py with pycocotools. */
const SETS: {
  sizes: Record<string, [height: number, width: number]>;
  classes: number;
  annotations: Truth[];
  results: (Entry & { score: number })[];
  stats: number[];
}[] = JSON.parse(
  gunzipSync(readFileSync(new URL("../../tests/fixtures/masks/ap.json.gz", import.meta.url))).toString(),
);

const NAMES = ["AP50:95", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"];

test("AP and AR of masks are pycocotools' on 200 sets with crowds", () => {
  expect(SETS).toHaveLength(200);
  expect(SETS.flatMap(({ annotations }) => annotations).some(({ iscrowd }) => iscrowd === 1)).toBe(true);
  for (const [i, { sizes, classes, annotations, results, stats }] of SETS.entries()) {
    const mask = ({ image_id, segmentation: counts }: Entry): Mask => ({ size: sizes[image_id]!, counts });
    const groundTruths = annotations.map((one): GroundTruth => {
      const { id, image_id: imageId, category_id: categoryId, bbox, area } = one;
      return { id, imageId, categoryId, bbox, area, isCrowd: one.iscrowd === 1, mask: mask(one) };
    });
    const detections = results.map((one): Detection => {
      const [x1, y1, x2, y2] = maskBox(mask(one)) ?? [0, 0, 0, 0];
      const { image_id: imageId, category_id: categoryId, score } = one;
      return { imageId, categoryId, bbox: [x1, y1, x2 - x1, y2 - y1], score, mask: mask(one) };
    });
    const categories = Array.from({ length: classes }, (_, k) => ({ id: k + 1, name: String(k + 1) }));
    const { metrics } = cocoAp({ groundTruths, detections, categories, compare: compareMasks });
    for (const [k, name] of NAMES.entries()) expect(metrics[name], `set ${i}, ${name}`).toBeCloseTo(stats[k]!, 6);
  }
});

const SIZE: [number, number] = [10, 20];
/** The left or the right part of the box (4, 2) to (12, 8). */
const mask = (from: number, to: number): Mask => ({
  polygons: [[from, 2, to, 2, to, 8, from, 8]],
});
const LEFT: Mask = { size: SIZE, counts: [42, ...Array.from({ length: 7 }, (_, i) => (i % 2 ? 4 : 6)), 122] };

function sample(annotations: Pick<Annotation, "box" | "mask" | "crowd">[]): Sample {
  const about = { imageId: 1, file: "a.jpg", path: "a.jpg", width: null, height: null };
  const own = annotations.map((one, i) => ({ ...one, id: i + 1, categoryId: 1, label: 0, area: 48 }));
  return { ...about, annotations: own };
}

async function evaluated(annotations: Parameters<typeof sample>[0], found: (Mask | undefined)[], masks = true) {
  const batch: Pick<Batch, "imageIds" | "broken" | "originalSizes"> = { imageIds: [1], broken: [], originalSizes: [SIZE] }; // biome-ignore format: one line
  const measured = await evaluateModel({
    detect: () => [
      {
        boxes: Float32Array.from(found.flatMap(() => [4, 2, 12, 8])),
        scores: Float32Array.from(found, (_, i) => 0.9 - 0.1 * i),
        labels: new Int32Array(found.length),
        ...(masks && { shapes: found.map((one) => (one ? { mask: one } : {})) }),
      },
    ],
    batches: (async function* () {
      yield batch;
    })(),
    samples: [sample(annotations)],
    classes: [{ name: "leaf", categoryId: 1, label: 0 }],
  });
  const rounded = <Values extends object>(values: Values) =>
    Object.fromEntries(
      Object.entries(values).map(([k, v]) => [k, typeof v === "number" ? Math.round(v * 1e9) / 1e9 : v]),
    ) as Values;
  return { ...measured, metrics: rounded(measured.metrics), perClass: measured.perClass.map(rounded) };
}

test("a segmenter is measured by boxes and by masks, and its F1 is that of masks", async () => {
  const box: Annotation["box"] = [4, 2, 12, 8];
  const wrong = await evaluated([{ box, mask: mask(9, 12), crowd: false }], [LEFT]);
  expect(wrong.metrics).toMatchObject({ AP50: 1, "segm AP50": 0, "segm AP50:95": 0, "segm AR": 0 });
  expect(wrong.perClass[0]).toMatchObject({ "AP50:95": 1, "segm AP50:95": 0, annotations: 1 });
  expect(wrong.f1.f1).toBe(0);
  const right = await evaluated([{ box, mask: mask(4, 8), crowd: false }], [LEFT]);
  expect(right.metrics).toMatchObject({ AP50: 1, "segm AP50": 1, "segm AP50:95": 1 });
  expect(right.f1.f1).toBe(1);
  expect(right.detections[0]!.mask).toEqual(LEFT);
  const detector = await evaluated([{ box, mask: mask(9, 12), crowd: false }], [undefined], false);
  expect(Object.keys(detector.metrics).filter((name) => name.startsWith("segm"))).toEqual([]);
  expect(detector.f1.f1).toBe(1);
});

test("an object without a mask counts neither way where masks are measured", async () => {
  const box: Annotation["box"] = [4, 2, 12, 8];
  const { metrics } = await evaluated([{ box, crowd: false }], [LEFT]);
  expect(metrics).toMatchObject({ AP50: 1, "segm AP50": -1 });
  const mixed = await evaluated([{ box, mask: mask(4, 8), crowd: false }, { box, crowd: false }], [LEFT, undefined]); // biome-ignore format: one line
  expect(mixed.metrics["segm AP50"]).toBe(1);
});

test("a mask that cannot be used is reported with its file and annotation", async () => {
  const broken: Mask = { size: [20, 10], counts: [200] };
  await expect(evaluated([{ box: [4, 2, 12, 8], mask: broken, crowd: false }], [LEFT])).rejects.toThrow(
    "a.jpg, annotation 1: the mask is of an image of 10 x 20, but its image is 20 x 10.",
  );
});

test("F1 of masks counts detections in crowds neither way", () => {
  const truth = { imageId: 1, categoryId: 1, bbox: [4, 2, 8, 6] as const, mask: LEFT };
  const detection = { ...truth, score: 0.5 };
  const all = { detections: [detection, detection], categories: [{ id: 1, name: "leaf" }], compare: compareMasks };
  const half: Mask = { size: SIZE, counts: [182, 4, 14] };
  const other = { ...truth, bbox: [18, 2, 1, 4] as const, mask: half };
  const [first] = f1Sweep({ ...all, groundTruths: [{ ...truth, isCrowd: true }, other] });
  expect(first).toMatchObject({ precision: 0, recall: 0 });
});

test("results files with masks are measured by them, too", async () => {
  const folder = await mkdtemp(join(tmpdir(), "segm-"));
  try {
    const write = async (name: string, content: unknown) => {
      await writeFile(join(folder, name), JSON.stringify(content));
      return join(folder, name);
    };
    const one = { image_id: 1, category_id: 3 };
    const annotations = await write("gt.json", {
      images: [{ id: 1, width: 20, height: 10 }],
      categories: [{ id: 3, name: "leaf" }],
      annotations: [{ ...one, id: 1, bbox: [4, 2, 8, 6], area: 24, segmentation: [[4, 2, 8, 2, 8, 8, 4, 8]] }],
    });
    const found = (segmentation: unknown) => write("found.json", [{ ...one, bbox: [4, 2, 8, 6], score: 0.5, segmentation }]); // biome-ignore format: one line
    const measured = async (predictions: string) => (await evaluateResults({ predictions, annotations })).metrics;
    expect((await measured(await found(LEFT)))["segm AP50"]).toBeCloseTo(1, 9);
    const other = await measured(await found({ size: SIZE, counts: [182, 4, 14] }));
    expect([other["segm AP50"], other.AP50]).toEqual([0, expect.closeTo(1, 9)]);
    const bare = await write("bare.json", [{ ...one, score: 0.5, segmentation: LEFT }]);
    expect((await measured(bare)).AP75).toBe(0); // the box around the mask is half of the annotated one
    const plain = await write("plain.json", [{ ...one, bbox: [4, 2, 8, 6], score: 0.5 }]);
    expect(Object.keys(await measured(plain)).filter((name) => name.startsWith("segm"))).toEqual([]);
    for (const [damaged, says] of [
      [{ size: [20, 10], counts: [200] }, "[0]: the mask is of an image of 10 x 20, but its image is 20 x 10"],
      [{ size: SIZE, counts: "~" }, "[0]: the mask has a text of run lengths that is damaged"],
      ["none", '[0] has the segmentation "none", which is neither polygons nor run lengths'],
    ] as const)
      await expect(measured(await found(damaged))).rejects.toThrow(says);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("predicted objects have the masks of their detections", () => {
  const classes = [{ name: "leaf", categoryId: 3, label: 0 }];
  const detections = { boxes: new Float32Array(8), scores: Float32Array.of(0.9, 0.8), labels: new Int32Array(2) };
  const found = toObjects({ ...detections, shapes: [{ mask: LEFT }, {}] }, classes, 0.5);
  expect(found.map(({ mask }) => mask)).toEqual([LEFT, undefined]);
  expect(toObjects(detections, classes, 0.5)[0]).not.toHaveProperty("mask");
});

test("what lies behind the figures is found by masks, where there are some", async () => {
  const box: Annotation["box"] = [4, 2, 12, 8];
  const details = async (own: Mask) =>
    evaluationDetails(await evaluated([{ box, mask: own, crowd: false }], [LEFT])).images[0];
  expect(await details(mask(4, 8))).toMatchObject({ found: 1, missed: 0, wrong: 0, quality: 1 });
  expect(await details(mask(9, 12))).toMatchObject({ found: 0, missed: 1, wrong: 1 });
});
