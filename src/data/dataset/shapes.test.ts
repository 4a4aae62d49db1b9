import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadDataset } from "./dataset.ts";
import { datasetFingerprint } from "./fingerprint.ts";

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "shapes-"));
});
afterAll(() => rm(root, { recursive: true }));

async function picture(path: string) {
  const image = sharp({ create: { width: 20, height: 10, channels: 3, background: "green" } });
  await image.jpeg().toFile(path);
}

const RUNS = [50, 3, 147];

async function coco(name: string, shaped: boolean) {
  const dir = join(root, name);
  for (const split of ["train", "valid"]) {
    await mkdir(join(dir, split), { recursive: true });
    await picture(join(dir, split, "a.jpg"));
    const shapes = [
      { segmentation: [[1, 2, 5, 2, 5, 6]], keypoints: [1, 2, 2, 0, 0, 0] },
      { segmentation: { size: [10, 20], counts: RUNS }, iscrowd: 1 },
      { segmentation: { size: [10, 20], counts: "PPYg02" } },
      { segmentation: [] },
      { segmentation: [["x"]], keypoints: "none" },
    ];
    const annotations = shapes.map(({ iscrowd = 0, ...shape }, i) => {
      return { id: i + 1, image_id: 1, category_id: 7, bbox: [1, 2, 4, 4], area: 16, iscrowd, ...(shaped && shape) };
    });
    const images = [{ id: 1, file_name: "a.jpg", width: 20, height: 10 }];
    const file = { images, annotations, categories: [{ id: 7, name: "leaf" }] };
    await writeFile(join(dir, split, "_annotations.coco.json"), JSON.stringify(file));
  }
  return loadDataset({ dir });
}

test("masks and keypoints of a COCO file are kept as they are, and what cannot be read is left out", async () => {
  const { splits } = await coco("coco", true);
  const kept = splits.train!.samples[0]!.annotations.map(({ mask, keypoints }) => ({ mask, keypoints }));
  expect(kept).toEqual([
    { mask: { polygons: [[1, 2, 5, 2, 5, 6]] }, keypoints: [1, 2, 2, 0, 0, 0] },
    { mask: { size: [10, 20], counts: RUNS } },
    { mask: { size: [10, 20], counts: "PPYg02" } },
    {},
    {},
  ]);
});

test("masks do not change the fingerprint of what a detector trains on", async () => {
  const [plain, shaped] = [await coco("same", false), await coco("same", true)];
  expect(await datasetFingerprint(shaped)).toBe(await datasetFingerprint(plain));
});

test("masks change the fingerprint of what a segmenter trains on", async () => {
  const [plain, shaped] = [await coco("same", false), await coco("same", true)];
  const masks = { masks: true };
  expect(await datasetFingerprint(shaped, masks)).not.toBe(await datasetFingerprint(plain, masks));
  expect(await datasetFingerprint(plain, masks)).toBe(await datasetFingerprint(plain));
});

test("a polygon of a YOLO file is kept in pixels beside its box", async () => {
  const dir = join(root, "yolo");
  for (const split of ["train", "valid"]) {
    await mkdir(join(dir, split, "images"), { recursive: true });
    await mkdir(join(dir, split, "labels"), { recursive: true });
    await picture(join(dir, split, "images", "a.jpg"));
    await writeFile(join(dir, split, "labels", "a.txt"), "0 0.1 0.2 0.5 0.2 0.5 0.6\n0 0.5 0.5 0.5 0.5\n");
  }
  await writeFile(join(dir, "data.yaml"), "names: [leaf]\n");
  const { splits } = await loadDataset({ dir });
  const [polygon, box] = splits.train!.samples[0]!.annotations;
  expect(polygon!.mask).toEqual({ polygons: [[2, 2, 10, 2, 10, 6]] });
  expect(polygon!.box).toEqual([2, 2, 10, 6]);
  expect(box).not.toHaveProperty("mask");
});
