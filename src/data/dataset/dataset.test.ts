import { cp, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { coco, image, message, roboflow, root, text } from "../../../tests/support/datasetFolder.ts";
import { factLine } from "../../util/text/fact.ts";
import { datasetSummary, loadDataset } from "./dataset.ts";
import { datasetFingerprint } from "./fingerprint.ts";
import { trainingBoxes } from "./sample.ts";

describe("class table", () => {
  const table = async (categories: object[], used: number[]) => {
    const train = {
      images: [{ id: 5, file_name: "a.png", width: 20, height: 10 }],
      categories,
      annotations: used.map((category_id, i) => ({ id: i, image_id: 5, category_id, bbox: [1, 1, 2, 2], area: 4 })),
    };
    await roboflow(train, { ...train, images: [{ id: 9, file_name: "b.png" }], annotations: [] });
    const { classes, splits } = await loadDataset({ dir: root });
    return { classes: classes.map((c) => `${c.label}:${c.name}:${c.categoryId}`), split: splits.train! };
  };
  const category = (id: number, name: string, supercategory?: string) => ({ id, name, supercategory });

  it("numbers labels from 0 in the order of ids that start at 0, start at 1, or have gaps", async () => {
    expect((await table([category(1, "b"), category(0, "a")], [0, 1])).classes).toEqual(["0:a:0", "1:b:1"]);
    expect((await table([category(1, "a"), category(2, "b")], [2])).classes).toEqual(["0:a:1", "1:b:2"]);
    const gaps = await table([category(90, "c"), category(3, "a"), category(44, "b")], [90, 3]);
    expect(gaps.classes).toEqual(["0:a:3", "1:b:44", "2:c:90"]);
    expect(gaps.split.samples[0]!.annotations.map((a) => [a.categoryId, a.label])).toEqual([
      [90, 2],
      [3, 0],
    ]);
  });

  it("drops the root category of Roboflow unless it is annotated, and keeps a class that is its own supercategory", async () => {
    const tree = [category(0, "things", "none"), category(1, "x", "things"), category(2, "y", "things")];
    expect((await table(tree, [1, 2])).classes).toEqual(["0:x:1", "1:y:2"]);
    expect((await table(tree, [0, 1])).classes).toEqual(["0:things:0", "1:x:1", "2:y:2"]);
    const own = [category(1, "person", "person"), category(2, "vehicle", "none"), category(3, "car", "vehicle")];
    expect((await table(own, [3])).classes).toEqual(["0:person:1", "1:car:3"]);
    expect((await table([category(1, "a", "b"), category(2, "b", "a")], [])).classes).toHaveLength(2);
  });

  it("labels val by the table of train", async () => {
    const categories = [category(0, "root", "none"), category(1, "x", "root"), category(2, "y", "root")];
    const of = (file: string, id: number) => ({ ...coco(file, id, [1, 1, 2, 2]), categories });
    await roboflow(of("a.png", 1), { ...of("b.png", 2), categories: [...categories].reverse() });
    const { splits } = await loadDataset({ dir: root });
    expect(splits.val!.samples[0]!.annotations[0]).toMatchObject({ categoryId: 2, label: 1 });
  });

  it("names a category that is not in the table, its file and its annotation", async () => {
    const val = { ...coco("b.png", 7, [1, 2, 3, 4]), categories: [{ id: 7, name: "dog" }] };
    await roboflow(undefined, val);
    const said = await message(loadDataset({ dir: root }));
    expect(said).toMatch(/valid\/_annotations\.coco\.json: annotation 1 \(image b\.png\) is of category 7 \("dog"\)/);
  });
});

describe("boxes", () => {
  it("become clamped xyxy; crowds and boxes without area in the image reach no training", async () => {
    const train = coco("a.png", 1, [-2, 3, 10, 20], [5, 5, 0, 3], [30, 1, 5, 5], [1, 1, 4, 4]);
    (train.annotations[3] as { iscrowd: number }).iscrowd = 1;
    await roboflow(train);
    const dataset = await loadDataset({ dir: root });
    const { annotations } = dataset.splits.train!.samples[0]!;
    expect([...trainingBoxes(annotations, 20, 10).boxes]).toEqual([0, 3, 8, 10]);
    expect(annotations.filter((a) => a.crowd)).toHaveLength(1);
    expect(dataset.problems.map((p) => p.kind).sort()).toEqual(["box-outside", "box-partly-outside", "box-zero-size"]);
    expect(datasetSummary(dataset).map(factLine).join("\n")).toMatch(
      /train: 1 images .*3 boxes, 1 crowd .*2 boxes without area/,
    );
  });

  it("of negative size or NaN are refused by file and annotation", async () => {
    await roboflow(coco("a.png", 1, [1, 1, 2, 2], [9, 1, -3, 2]));
    expect(await message(loadDataset({ dir: root }))).toMatch(
      /train\/_annotations.*annotation 2 .*a\.png.*negative size/,
    );
    const text = JSON.stringify(coco("a.png", 1, [1, 1, 2, 2])).replace('"bbox":[1,', '"bbox":[NaN,');
    await writeFile(join(root, "train/_annotations.coco.json"), text);
    expect(await message(loadDataset({ dir: root }))).toMatch(/annotation 1 .*a\.png.*not a number/);
  });
});

describe("layouts", () => {
  it("finds Roboflow's, with valid or val, and says so", async () => {
    await roboflow();
    const dataset = await loadDataset({ dir: root });
    expect(dataset.layout).toBe("roboflow-coco");
    expect(dataset.description).toContain(root);
    expect(Object.keys(dataset.splits)).toEqual(["train", "val"]);
  });

  it("finds COCO's annotations/instances_*.json and its folders of images", async () => {
    await image("train2017/sub/a.png");
    await image("images/val2017/b.png");
    await text("annotations/instances_train2017.json", coco("sub/a.png", 3, [1, 1, 2, 2]));
    await text("annotations/instances_val2017.json", coco("b.png", 3));
    const { layout, splits } = await loadDataset({ dir: root });
    expect(layout).toBe("coco");
    expect(splits.train!.samples[0]!.path).toBe(join(root, "train2017/sub/a.png"));
    expect(splits.val!.images).toBe(join(root, "images/val2017"));
  });

  it("reads YOLO's boxes and polygons, and images without a label file as background", async () => {
    for (const name of ["train/images/a.png", "train/images/b.png", "valid/images/c.png"]) await image(name);
    await text("data.yaml", "names: {0: cat, 1: dog}\ntrain: ../train/images\nval: valid/images\n");
    await text("train/labels/a.txt", "1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.5 0.2 0.3 0.9\n\n");
    await text("valid/labels/c.txt", "");
    const { layout, classes, splits } = await loadDataset({ dir: root });
    expect(layout).toBe("yolo");
    expect(classes.map((c) => c.name)).toEqual(["cat", "dog"]);
    const [a, b] = splits.train!.samples;
    expect(a!.annotations.map((x) => x.box.map((v) => Math.round(v * 1e6) / 1e6))).toEqual([
      [8, 3, 12, 7],
      [2, 2, 10, 9],
    ]);
    expect(a!.annotations.map((x) => x.label)).toEqual([1, 0]);
    expect(b!.annotations).toEqual([]);
  });

  it("names the line of a YOLO label that is wrong", async () => {
    await image("train/images/a.png");
    await image("valid/images/c.png");
    await text("valid/labels/c.txt", "");
    await text("data.yml", "names: [cat]\n");
    for (const [line, why] of [
      ["2 0.5 0.5 0.1 0.1", /a\.txt, line 2 has class 2/],
      ["0 0.5 0.5 0.1", /a\.txt, line 2 has 4 fields/],
      ["0 0.5 x 0.1 0.1", /a\.txt, line 2 has a box with a coordinate that is not a number/],
      ["0 0.5 0.5 -0.1 0.1", /a\.txt, line 2 has a negative size/],
    ] as const) {
      await text("train/labels/a.txt", `0 0.5 0.5 0.1 0.1\n${line}\n`);
      expect(await message(loadDataset({ dir: root }))).toMatch(why);
    }
  });

  it("takes splits that are named one by one", async () => {
    await roboflow();
    const of = (folder: string) => ({
      images: join(root, folder),
      annotations: join(root, folder, "_annotations.coco.json"),
    });
    const { layout, splits } = await loadDataset({ train: of("train"), val: of("valid") });
    expect(layout).toBe("explicit");
    expect(splits.val!.samples).toHaveLength(1);
    const gone = { ...of("valid"), annotations: "/other/machine/valid.json" };
    await expect(loadDataset({ train: of("train"), val: gone })).rejects.toMatchObject({
      message: "data.val.annotations: there is nothing at /other/machine/valid.json.",
      hint: expect.stringContaining("moved here from another machine"),
    });
  });

  it("names what is missing: the folder, a layout, a split, images, a listed image", async () => {
    expect(await message(loadDataset({ dir: join(root, "nowhere") }))).toMatch(/nowhere does not exist/);
    await expect(loadDataset({ dir: join(root, "nowhere") })).rejects.toMatchObject({
      hint: expect.stringContaining("moved here from another machine"),
    });
    expect(await message(loadDataset({ dir: root }))).toMatch(/No data set was recognised/);
    await image("train/a.png");
    await text("train/_annotations.coco.json", coco("a.png", 1));
    expect(await message(loadDataset({ dir: root }))).toMatch(/has no val split/);
    expect(Object.keys((await loadDataset({ dir: root }, { require: ["train"] })).splits)).toEqual(["train"]);
    await roboflow({ ...coco("a.png", 1), images: [] });
    expect(await message(loadDataset({ dir: root }))).toMatch(/train split of the data set holds no images/);
    await roboflow(coco("gone.png", 1));
    expect(await message(loadDataset({ dir: root }))).toMatch(/lists gone\.png, which is not in/);
  });

  it("reports more problems than a call can have arguments", async () => {
    const train = coco("a.png", 1, [1, 1, 2, 2]);
    const astray = Array.from({ length: 150_000 }, (_, id) => ({
      id,
      image_id: 99,
      category_id: 1,
      bbox: [1, 1, 2, 2],
    }));
    await roboflow({ ...train, annotations: astray }, train);
    expect((await loadDataset({ dir: root }, { strict: false })).problems.length).toBeGreaterThanOrEqual(150_000);
  });

  it("names a file that is no COCO file", async () => {
    for (const [content, why] of [
      ['{"images": [', /is not valid JSON/],
      ["[]", /the top level is not an object/],
      ['{"images": []}', /"categories" is missing/],
      ['{"images": 3, "categories": [{"id": 1, "name": "x"}]}', /"images" is not a list/],
      ['{"images": [], "categories": [{"id": "x", "name": "x"}]}', /category 0 has no integer "id"/],
      ['{"images": [], "categories": [{"id": 1, "name": "x"}, {"id": 1, "name": "y"}]}', /share the id 1/],
    ] as const) {
      await roboflow();
      await text("train/_annotations.coco.json", content);
      expect(await message(loadDataset({ dir: root }))).toMatch(why);
    }
  });

  it("refuses file names that lead out of their folder", async () => {
    await image("secret.png");
    for (const name of ["../secret.png", join(root, "secret.png"), "x/../../secret.png"]) {
      await roboflow(coco(name, 1, [1, 1, 2, 2]));
      expect(await message(loadDataset({ dir: root }))).toMatch(/secret\.png lies outside the folder of images/);
    }
  });
});

describe("fingerprint", () => {
  it("changes with an annotation and with an image, and with nothing else", async () => {
    await roboflow();
    const first = await datasetFingerprint(await loadDataset({ dir: root }));
    const other = await mkdtemp(join(tmpdir(), "dataset-"));
    await cp(root, other, { recursive: true });
    expect(await datasetFingerprint(await loadDataset({ dir: other }))).toBe(first);
    await text("train/_annotations.coco.json", coco("a.png", 1, [1, 2, 3, 5]));
    const second = await datasetFingerprint(await loadDataset({ dir: root }));
    await image("valid/b.png", 300, 200);
    const third = await datasetFingerprint(await loadDataset({ dir: root }));
    expect(new Set([first, second, third]).size).toBe(3);
  });
});
