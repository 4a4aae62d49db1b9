import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { coco, image, message, roboflow, root, text } from "../../tests/support/datasetFolder.ts";
import { loadDataset } from "../data/dataset/dataset.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { convertDataset } from "./convertDataset.ts";

const convert = (to: "coco" | "yolo" | "voc", out = "out") =>
  convertDataset({ dir: join(root, "set") }, { to, out: join(root, out) });

/** A set with one training image and what is annotated in it. */
async function annotated(...annotations: object[]): Promise<void> {
  await image("set/train/a.png");
  const train = coco("a.png", 3) as { annotations: object[]; categories: object[] };
  train.categories.push({ id: 9, name: "ant", supercategory: "none" });
  train.annotations = annotations.map((one, i) => ({ id: i + 1, image_id: 1, category_id: 3, bbox: [1, 2, 4, 6], ...one })); // biome-ignore format: one line
  await text("set/train/_annotations.coco.json", train);
}

describe("what the new layout cannot hold is said", () => {
  const SEVERAL = { segmentation: [[1, 2, 5, 2, 5, 8], [6, 2, 9, 2, 9, 8]], bbox: [1, 2, 8, 6] }; // biome-ignore format: one line
  const RUNS = { segmentation: { size: [10, 20], counts: [53, 4, 143] } };

  it("by YOLO: crowds, key points, masks of several parts and boxes beside masks", async () => {
    const polygon = [1, 2, 5, 2, 5, 8];
    await annotated({ iscrowd: 1 }, { keypoints: [3, 3, 2] }, SEVERAL, RUNS, { segmentation: [polygon], bbox: [0, 2, 5, 6] }); // biome-ignore format: one line
    const { notes } = await convert("yolo");
    expect(notes).toEqual([
      "Crowd regions, which are left out: 1.",
      "Objects with key points, which are left out: 1.",
      "Masks of several parts or of run lengths, of which the outline of the largest part is kept: 1.",
      "Masks of several parts or of run lengths, of which the box is kept: 1.",
      "Boxes that are not those of their masks, which are the masks' now: 1.",
    ]);
    const rows = (await readFile(join(root, "out/train/labels/a.txt"), "utf8")).trim().split("\n");
    expect(rows[0]).toBe("0 0.15 0.5 0.2 0.6");
    expect(rows[3]).toBe("0 0.05 0.2 0.25 0.2 0.25 0.8");
    expect(rows).toHaveLength(4);
    expect(await readFile(join(root, "out/data.yaml"), "utf8")).toMatch(/^train: train\/images\nnc: 2\nnames:\n {2}- cat\n {2}- ant\n$/); // biome-ignore format: one line
  });

  it("by VOC: crowds become difficult, masks of one polygon stay, classes have no numbers", async () => {
    await annotated({ iscrowd: 1 }, SEVERAL, { segmentation: [[1, 2, 5, 2, 5, 8]] });
    const { notes } = await convert("voc");
    expect(notes).toEqual([
      "Nothing names the classes without an object now: ant.",
      "Classes have no numbers now: who reads them counts in the order of their names.",
      "Crowd regions, which are difficult objects now: 1.",
      "Masks of several parts or of run lengths, which are left out: 1.",
    ]);
    const { splits } = await loadDataset({ dir: join(root, "out") }, { require: [] });
    expect(splits.train!.samples[0]!.annotations.map(({ crowd, mask }) => [crowd, mask])).toEqual([[true, undefined], [false, undefined], [false, { polygons: [[1, 2, 5, 2, 5, 8]] }]]); // biome-ignore format: one line
  });

  it("COCO holds all of it", async () => {
    await annotated({ iscrowd: 1 }, { keypoints: [3, 3, 2] }, SEVERAL, RUNS);
    expect((await convert("coco")).notes).toEqual([]);
    const samples = async (name: string) => (await loadDataset({ dir: join(root, name) }, { require: [] })).splits.train!.samples; // biome-ignore format: one line
    const without = (all: Awaited<ReturnType<typeof samples>>) => all.map(({ path: _, ...one }) => one);
    expect(without(await samples("out"))).toEqual(without(await samples("set")));
  });
});

describe("pictures", () => {
  it("are linked, whatever links lead to them, and the sets' own are as they were", async () => {
    const rng = rngFromSeed(1);
    const noise = Buffer.from(Array.from({ length: 90 * 60 * 3 }, () => rng.int(256)));
    await mkdir(join(root, "set/train"), { recursive: true });
    await mkdir(join(root, "set/all"), { recursive: true });
    await sharp(noise, { raw: { width: 90, height: 60, channels: 3 } }).toFile(join(root, "set/all/p.png"));
    await symlink("../all/p.png", join(root, "set/train/a.png"));
    await text("set/train/_annotations.coco.json", coco("a.png", 1, [1, 2, 3, 4]));
    const { pictures } = await convert("voc");
    expect(pictures).toEqual({ linked: 1, copied: 0 });
    const [from, to] = [await stat(join(root, "set/all/p.png")), await stat(join(root, "out/JPEGImages/a.png"))];
    expect(to.ino).toBe(from.ino);
  });

  it("have another name where theirs is taken, which is said; one that is listed twice is one", async () => {
    for (const name of ["train/a.png", "train/a.jpg", "valid/a.png"]) await image(`set/${name}`);
    const train = { ...coco("a.png", 1, [1, 2, 3, 4]) };
    train.images = ["a.png", "a.jpg", "a.png"].map((file_name, i) => ({ id: i + 1, file_name, width: 20, height: 10 }));
    train.annotations.push({ ...train.annotations[0]!, id: 2, image_id: 3, bbox: [5, 2, 3, 4] });
    await text("set/train/_annotations.coco.json", train);
    await text("set/valid/_annotations.coco.json", coco("a.png", 1, [1, 2, 3, 4]));
    const { notes } = await convert("voc");
    expect(notes).toEqual([
      "The picture a.jpg of train is called a-2.jpg, as its name is taken.",
      "The picture a.png of val is called a-3.png, as its name is taken.",
    ]);
    const { splits } = await loadDataset({ dir: join(root, "out") });
    expect(splits.train!.samples.map(({ file, annotations }) => [file, annotations.length])).toEqual([["a-2.jpg", 0], ["a.png", 2]]); // biome-ignore format: one line
    expect((await convert("coco", "other")).notes).toEqual([]);
  });
});

describe("it is refused, and nothing is left behind,", () => {
  const refused = async (to: "coco" | "yolo" | "voc" = "voc", out = "out") => {
    const before = await readdir(root);
    const why = await message(convert(to, out));
    expect(await readdir(root)).toEqual(before);
    return why;
  };

  it("where the folder has files, or lies in the set or around it", async () => {
    await annotated({});
    await text("taken/note.txt", "mine");
    expect(await refused("voc", "taken")).toMatch(/taken has files in it/);
    expect(await refused("voc", "set/out")).toMatch(/lie in each other/);
    expect(await refused("voc", ".")).toMatch(/lie in each other/);
    await writeFile(join(root, "file"), "");
    expect(await refused("voc", "file")).toMatch(/file: a part of the path is a file/);
    await mkdir(join(root, "empty"));
    expect((await convert("voc", "empty")).splits).toEqual({ train: { images: 1, boxes: 1, masks: 0 } });
  });

  it("where the set is in error, or a name cannot be written", async () => {
    await annotated({ bbox: [1, 2, -3, 4] });
    expect(await refused()).toMatch(/negative size/);
    await annotated({});
    await text("set/train/_annotations.coco.json", { ...coco("a.png", 1, [1, 2, 3, 4]), categories: [{ id: 1, name: " cat" }] }); // biome-ignore format: one line
    expect(await refused()).toMatch(/the class " cat" has a name that XML cannot hold/);
    await text("set/train/picture", "x");
    await text("set/train/_annotations.coco.json", coco("picture", 1, [1, 2, 3, 4]));
    expect(await refused("yolo")).toMatch(/picture/);
  });

  it("not where it has warnings, which are passed on", async () => {
    await roboflow(coco("a.png", 1, [15, 2, 9, 4]));
    const { warnings } = await convertDataset({ dir: root }, { to: "coco", out: `${root}-out` });
    expect(warnings).toEqual([expect.stringMatching(/annotation 1 \(image a\.png\) reaches out/)]);
  });
});
