import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { image, message, root, text } from "../../../tests/support/datasetFolder.ts";
import { leakProblems } from "../../data/dataset/check/leaks.ts";
import { type DatasetSource, loadDataset } from "../../data/dataset/dataset.ts";
import { divideDataset } from "./divide.ts";

const file = (prefix: string, count: number) => {
  const annotations = Array.from({ length: count }, (_, i) => ({
    ...{
      id: i,
      image_id: i,
      category_id: i % 2 === 0 ? 3 : 8,
      bbox: [1.5, 2.25, 3, 4],
      area: 9.5,
      iscrowd: i === 5 ? 1 : 0,
    },
    segmentation: i === 0 ? { size: [10, 20], counts: [5, 3, 192] } : [[1, 2, 4, 2, 4, 6]],
  }));
  return {
    images: annotations.map(({ id }) => ({ id, file_name: `${prefix}${id}.png`, width: 20, height: 10 })),
    categories: [
      { id: 3, name: "cat" },
      { id: 8, name: "dog" },
    ],
    annotations,
  };
};

async function write(folder: string, prefix: string, count: number, shade: number) {
  await text(`set/${folder}/_annotations.coco.json`, file(prefix, count));
  for (let i = 0; i < count; i++) await image(`set/${folder}/${prefix}${i}.png`, 20, 10, shade + i);
}

beforeEach(async () => {
  await write("train", "a", 20, 0);
  await write("valid", "b", 4, 100);
});

const options = () => ({ dir: join(root, "set"), out: join(root, "lists"), val: 0.25 });

describe("data split", () => {
  it("writes COCO files of one folder of images, which read back to the same boxes and masks, copies on one side", async () => {
    await copyFile(join(root, "set/train/a0.png"), join(root, "set/valid/b0.png"));
    const before = await loadDataset({ dir: join(root, "set") });
    expect(await leakProblems(before, { allowed: false })).toHaveLength(1);
    const { data, kind, copies, splits } = await divideDataset(options());
    expect([kind, copies, splits.train!.images, splits.val!.images]).toEqual(["coco", 1, 18, 6]);
    const after = await loadDataset(data as DatasetSource);
    expect(after.problems).toEqual([]);
    expect(await leakProblems(after, { allowed: false })).toEqual([]);
    const seen = ({ splits: { train, val } }: typeof before) =>
      [...train!.samples, ...val!.samples]
        .map(({ path, width, height, annotations }) => ({
          ...{ path, width, height },
          annotations: annotations.map(({ id: _, ...one }) => one),
        }))
        .sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(seen(after)).toEqual(seen(before));
    expect(after.classes).toEqual(before.classes);
    const labels = after.splits.val!.samples.flatMap(({ annotations }) => annotations.map(({ label }) => label));
    expect(labels.filter((label) => label === 0)).toHaveLength(3);
    expect(await message(divideDataset(options()))).toMatch(/lists\/train\.json is there already/);
  });

  it("leaves a test split as it is unless a share for it is asked for", async () => {
    await write("test", "c", 6, 200);
    const { splits, data } = await divideDataset(options());
    expect([splits.train!.images, splits.val!.images, splits.test!.images]).toEqual([18, 6, 6]);
    const { splits: read } = await loadDataset(data as DatasetSource);
    expect(read.test!.samples.map((one) => one.file)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `test/c${i}.png`));
    const all = await divideDataset({ ...options(), out: join(root, "three"), val: 0.2, test: 0.3 });
    expect([all.splits.train!.images, all.splits.val!.images, all.splits.test!.images]).toEqual([15, 6, 9]);
  });

  it("writes lists and a data.yaml of a YOLO set, beside the one that was there", async () => {
    for (let i = 0; i < 10; i++) {
      await image(`yolo/images/${i}.png`, 20, 10, i);
      await text(`yolo/labels/${i}.txt`, `${i % 2} 0.5 0.5 0.2 0.4\n`);
    }
    await text("yolo/data.yaml", "train: images\nnames: [cat, dog]\n");
    const dir = join(root, "yolo");
    expect(await message(divideDataset({ ...options(), dir }))).toMatch(/must lie in the folder of its pictures/);
    const { kind, data } = await divideDataset({ dir, out: dir, val: 0.2 });
    expect([kind, data]).toEqual(["yolo", { dir }]);
    const { splits, classes } = await loadDataset(data as DatasetSource);
    expect([splits.train!.samples.length, splits.val!.samples.length]).toEqual([8, 2]);
    expect(splits.val!.samples.map(({ annotations }) => annotations[0]!.label).sort()).toEqual([0, 1]);
    expect(classes.map(({ name }) => name)).toEqual(["cat", "dog"]);
    expect(await readFile(join(dir, "data.before-split.yaml"), "utf8")).toMatch(/^train: images/);
    expect(await readFile(join(dir, "val.txt"), "utf8")).toMatch(/^(\.\/images\/\d\.png\n){2}$/);
  });

  it("refuses shares that are none, and sets of too few groups", async () => {
    expect(await message(divideDataset({ ...options(), val: 0.7, test: 0.3 }))).toMatch(
      /--val is 0\.7 and --test 0\.3/,
    );
    expect(await message(divideDataset({ ...options(), group: "(png)" }))).toMatch(
      /make up 1 group .* too few for 2 splits/,
    );
  });
});
