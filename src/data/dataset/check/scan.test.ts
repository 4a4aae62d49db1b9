import { mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it, onTestFinished } from "vitest";
import { coco, image, roboflow, root } from "../../../../tests/support/datasetFolder.ts";
import { loadDataset } from "../dataset.ts";
import { scanDataset } from "./scan.ts";

describe("scan", () => {
  it("reports counts and everything that is wrong, by name, and stops at nothing", async () => {
    const names = ["a.png", "cut.png", "gone.png", "link.png", "twin.png", "size.png", "many.png", "../out.png"];
    const train = {
      categories: [{ id: 4, name: "cat" }],
      images: names.map((file_name, id) => ({ id, file_name, width: 20, height: 10 })),
      annotations: [
        [0, [1, 1, 2, 2]],
        [0, [3, 3, 0, 2]],
        [0, [3, 3, -1, 2]],
        [0, [40, 3, 5, 2]],
        [0, [18, 3, 5, 2]],
        [6, [1, 1, 2, 2]],
        [6, [2, 1, 2, 2]],
        [6, [3, 1, 2, 2]],
        [99, [3, 1, 2, 2]],
      ].map(([image_id, bbox], id) => ({ id, image_id, category_id: 4, bbox, area: 4, iscrowd: 0 })),
    };
    train.annotations.push({ id: 8, image_id: 0, category_id: 5, bbox: [1, 1, 1, 1], area: 1, iscrowd: 0 });
    train.annotations.push({ ...train.annotations[0]!, image_id: 1 });
    await roboflow(train, coco("b.png", 4, [1, 1, 2, 2]));
    await image("train/extra.png", 20, 10, 7);
    await image("train/size.png", 12, 10, 8);
    await image("train/many.png", 20, 10, 9);
    const elsewhere = await mkdtemp(join(tmpdir(), "scan-elsewhere-"));
    onTestFinished(() => rm(elsewhere, { recursive: true }));
    await image("inside.png", 20, 10, 11);
    await rename(join(root, "inside.png"), join(elsewhere, "outside.png"));
    await writeFile(join(root, "train/twin.png"), await readFile(join(root, "valid/b.png")));
    await sharp({ create: { width: 20, height: 10, channels: 3, background: "red" } }).toFile(
      join(root, "train/cut.png"),
    );
    await writeFile(join(root, "train/cut.png"), (await readFile(join(root, "train/cut.png"))).subarray(0, 60));
    await symlink(join(elsewhere, "outside.png"), join(root, "train/link.png"));
    const progress: number[] = [];
    const dataset = await loadDataset({ dir: root }, { strict: false });
    const report = await scanDataset(dataset, { queries: 2, onProgress: (done) => progress.push(done) });
    expect(report.ok).toBe(false);
    expect(report.counts).toEqual({
      "escaping-path": 2,
      "missing-image": 1,
      "corrupt-image": 1,
      "box-zero-size": 1,
      "box-negative-size": 1,
      "box-outside": 1,
      "box-partly-outside": 1,
      "unknown-image": 1,
      "unknown-category": 1,
      "duplicate-annotation": 1,
      "size-differs": 1,
      "too-many-objects": 1,
      "unlisted-file": 1,
      leak: 1,
    });
    expect(report.splits.train).toEqual({
      images: 7,
      backgrounds: 4,
      boxes: 6,
      crowds: 0,
      boxesPerClass: { cat: 6 },
      mostBoxes: 3,
    });
    const of = (kind: string) => report.problems.find((p) => p.kind === kind)!;
    expect(of("corrupt-image").message).toMatch(/cut\.png is truncated or damaged/);
    expect(of("leak").message).toMatch(/b\.png \(val\).*twin\.png \(train\)/);
    expect(of("too-many-objects").message).toMatch(/holds 3 objects, the model has 2 queries.*model\.num_queries: 100/);
    expect(of("unlisted-file").file).toBe("extra.png");
    expect(of("size-differs").message).toMatch(/size\.png is 12 x 10.*says 20 x 10/);
    expect(of("box-outside")).toMatchObject({ file: "a.png", annotationId: 3 });
    expect(progress.at(-1)).toBe(8);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it("finds nothing wrong with the trees", async () => {
    const dir = new URL("../../../../datasets/trees", import.meta.url).pathname;
    const report = await scanDataset(await loadDataset({ dir }), { queries: 100 });
    expect(report.problems).toEqual([]);
    expect(report.classes).toEqual([{ name: "tree", categoryId: 1, label: 0 }]);
    expect(report.splits.train).toMatchObject({ images: 71, boxes: 1370, backgrounds: 5, mostBoxes: 61 });
    expect(report.splits.val).toMatchObject({ images: 9, boxes: 192, mostBoxes: 31 });
  });
});
