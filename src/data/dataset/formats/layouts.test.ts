import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { coco, image, root, text } from "../../../../tests/support/datasetFolder.ts";
import { zipOf } from "../../../../tests/support/zipFile.ts";
import { loadDataset } from "../dataset.ts";
import type { Annotation } from "../sample.ts";

const box = (...[x1, y1, x2, y2]: number[]) =>
  `<bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox>`;
const object = (inside: string, name = "cat") => `<object><name>${name}</name>${inside}</object>`;
const xml = (objects: string, file: string, more = "") =>
  `<annotation><filename>${file}</filename>${more}<size><width>20</width><height>10</height></size>${objects}</annotation>`;

async function load() {
  const dataset = await loadDataset({ dir: root }, { require: ["train"] });
  const { samples, images } = dataset.splits.train!;
  return { ...dataset, samples, images, annotations: samples.flatMap((sample) => sample.annotations) };
}

const boxes = (annotations: readonly Annotation[]) => annotations.map((one) => one.box);

describe("Pascal VOC", () => {
  it("counts pixels from 1 in PASCAL's own files, whose last pixel is inside, and takes other files as they are written", async () => {
    await image("a.png");
    await image("b.png");
    const source = "<source><database>The VOC2007 Database</database><annotation>PASCAL VOC2007</annotation></source>";
    await text("a.xml", xml(object(box(1, 1, 20, 10)), "a.png", source));
    await text("b.xml", xml(object(box(0, 1, 20, 10)), "b.png", "<source><database>Unknown</database></source>"));
    const { annotations, description, layout } = await load();
    expect(layout).toBe("voc");
    expect(boxes(annotations)).toEqual([[0, 0, 20, 10], [0, 1, 20, 10]]); // biome-ignore format: one line
    expect(description).toBe(`Pascal VOC (an XML file an image) in ${root}, coordinates counted from 1, as PASCAL's own are in 1 of 2 files`); // biome-ignore format: one line
  });

  it("takes difficult objects for crowds, which are not trained on, and says so", async () => {
    await image("a.png");
    const difficult = `<difficult>1</difficult>${box(2, 2, 9, 9)}`;
    await text("a.xml", xml(object(box(1, 1, 5, 5)) + object(difficult, "dog"), "a.png"));
    const { annotations, classes, description } = await load();
    expect(annotations.map(({ crowd, label }) => [crowd, label])).toEqual([[false, 0], [true, 1]]); // biome-ignore format: one line
    expect(classes).toEqual([{ name: "cat", categoryId: 1, label: 0 }, { name: "dog", categoryId: 2, label: 1 }]); // biome-ignore format: one line
    expect(description).toMatch(/coordinates as they are written; 1 difficult objects, which count as crowds$/);
  });

  it("finds an image by the name of its file where it has another name now, and below the folders of its file", async () => {
    for (const name of ["renamed.JPG", "deep/b.png"]) await image(`JPEGImages/${name}`);
    await text("Annotations/renamed.xml", xml(object(box(1, 1, 5, 5)), "C:\\photos\\old.jpg"));
    await text("Annotations/deep/b.xml", xml("", "b.png"));
    const { samples, problems, images } = await load();
    expect(samples.map(({ file }) => file)).toEqual(["deep/b.png", "renamed.JPG"]);
    expect([problems, images]).toEqual([[], join(root, "JPEGImages")]);
  });

  it("reads the lists of a devkit: trainval alone is train, and images in no list are not used", async () => {
    for (const name of ["a", "b", "c"]) {
      await image(`VOC2012/JPEGImages/${name}.jpg`);
      await text(`VOC2012/Annotations/${name}.xml`, xml(object(box(1, 1, 5, 5)), `${name}.jpg`));
    }
    await text("VOC2012/ImageSets/Main/trainval.txt", "a\nc\n");
    await text("VOC2012/ImageSets/Main/cat_trainval.txt", "a  1\nc -1\n");
    const { samples, description } = await load();
    expect(samples.map(({ file }) => file)).toEqual(["a.jpg", "c.jpg"]);
    expect(description).toContain(`in ${join(root, "VOC2012")}`);
    await text("VOC2012/ImageSets/Main/train.txt", "a\n");
    await text("VOC2012/ImageSets/Main/val.txt", "c\n");
    expect(Object.keys((await load()).splits)).toEqual(["train", "val"]);
  });

  it("has the classes of all splits", async () => {
    await image("train/a.png");
    await image("valid/b.png");
    await text("train/a.xml", xml(object(box(1, 1, 5, 5), "b"), "a.png"));
    await text("valid/b.xml", xml(object(box(1, 1, 5, 5), "a"), "b.png"));
    const { classes, splits } = await load();
    expect(classes.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(splits.val!.samples[0]!.annotations[0]).toMatchObject({ label: 0, categoryId: 1 });
  });

  it("without any object is refused: its classes are known by nothing else", async () => {
    await image("a.png");
    await text("a.xml", xml("", "a.png"));
    await expect(load()).rejects.toThrow(/No object is annotated in/);
  });
});

describe("LabelMe", () => {
  it("joins shapes of one label and one group, and takes a rectangle alone for a box", async () => {
    await image("a.png");
    const shape = (label: string, group_id: number | null, shape_type: string, ...points: number[][]) => ({ label, group_id, shape_type, points }); // biome-ignore format: one line
    const shapes = [
      shape("cat", 1, "polygon", [1, 1], [3, 1], [3, 4]),
      shape("dog", 1, "rectangle", [4, 4], [2, 2]),
      shape("cat", 1, "rectangle", [8, 8], [6, 6]),
      shape("cat", null, "rectangle", [1, 2], [3, 4]),
    ];
    await text("a.json", { shapes, imagePath: "a.png", imageWidth: 20, imageHeight: 10 });
    const { annotations, layout } = await load();
    expect(layout).toBe("labelme");
    expect(boxes(annotations)).toEqual([[1, 1, 8, 8], [2, 2, 4, 4], [1, 2, 3, 4]]); // biome-ignore format: one line
    expect(annotations.map(({ mask }) => mask)).toEqual([
      { polygons: [[1, 1, 3, 1, 3, 4], [6, 6, 8, 6, 8, 8, 6, 8]] },
      undefined,
      undefined,
    ]); // biome-ignore format: one line
  });

  it("says of shapes that are all of kinds that are not read what they are", async () => {
    await image("a.png");
    await text("a.json", { shapes: [{ label: "cat", shape_type: "circle", points: [[1, 1], [3, 1]] }], imagePath: "a.png" }); // biome-ignore format: one line
    await expect(load()).rejects.toThrow(/No object that is read is annotated in/);
  });

  it("finds images elsewhere in the set, not outside of it", async () => {
    await image("pictures/a.png");
    const shapes = [{ label: "cat", points: [[1, 1], [3, 1], [3, 4]] }]; // biome-ignore format: one line
    await text("train/a.json", { shapes, imagePath: "..\\pictures\\a.png" });
    expect((await load()).samples[0]!.path).toBe(join(root, "pictures/a.png"));
  });
});

describe("CSV", () => {
  it("may have columns in any order, semicolons, quotation marks, and files that are called by their split", async () => {
    await image("images/a;1.png");
    await image("images/b.png");
    await text("train_labels.csv", '\ufeffLabel;xmax;ymax;xmin;ymin;File Name\r\n"a ""cat""";5;8;1;2;"a;1.png"\r\n');
    await text("val.csv", "label,x1,y1,x2,y2,path\ndog,1,2,5,8,/home/me/set/images/b.png\n");
    const { samples, splits, classes, layout } = await load();
    expect(layout).toBe("csv");
    expect(samples[0]).toMatchObject({ file: "a;1.png", width: null, annotations: [{ box: [1, 2, 5, 8], label: 0 }] });
    expect(classes.map(({ name }) => name)).toEqual(['a "cat"', "dog"]);
    expect(splits.val!.samples[0]!.path).toBe(join(root, "images/b.png"));
  });
});

describe("YOLO", () => {
  it("may have a list of names in the place of a YAML file, as of Label Studio and LabelImg", async () => {
    await image("images/a.png");
    await text("labels/a.txt", "1 0.5 0.5 0.5 0.5\n");
    await text("labels/classes.txt", "cat\r\na dog\r\n\r\n");
    const { annotations, classes, layout } = await load();
    expect(layout).toBe("yolo");
    expect(classes.map(({ name }) => name)).toEqual(["cat", "a dog"]);
    expect(boxes(annotations)).toEqual([[5, 2.5, 15, 7.5]]);
    await text("classes.txt", "\n");
    await expect(load()).rejects.toThrow(/classes\.txt names no classes/);
  });

  it("may be as CVAT exports YOLO 1.1 and Darknet has it: obj.data, its lists of images, labels beside these", async () => {
    for (const [list, folder] of [
      ["train", "obj_train_data"],
      ["valid", "obj_valid_data"],
    ] as const) {
      await image(`${folder}/${list} 1.png`);
      await text(`${folder}/${list} 1.txt`, "1 0.5 0.5 0.5 0.5\n");
      await text(`${list}.txt`, `data/${folder}/${list} 1.png\n`);
    }
    await text("obj.names", "cat\na dog\n");
    const data = "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n"; // biome-ignore format: one line
    await text("obj.data", data);
    const { splits, classes, layout, annotations } = await load();
    expect({ layout, splits: Object.keys(splits) }).toEqual({ layout: "yolo", splits: ["train", "val"] });
    expect(classes.map(({ name }) => name)).toEqual(["cat", "a dog"]);
    expect(boxes(annotations)).toEqual([[5, 2.5, 15, 7.5]]);
    await text("obj.data", data.replace("2", "3"));
    await expect(load()).rejects.toThrow(/obj\.data: "classes" is 3, but obj\.names has 2 classes/); // biome-ignore format: one line
    await text("obj.data", data.replace("valid.txt", "elsewhere.txt"));
    await expect(load()).rejects.toThrow(
      /obj\.data: the folder of "valid" \(data\/elsewhere\.txt\) with its labels was not found/,
    );
    await text("obj.data", data.replace("obj.names", "../../../../etc/hostname"));
    await expect(load()).rejects.toThrow(/obj\.data names its classes in .*, which is not in/);
  });

  it("with such a list may have a folder for each split", async () => {
    for (const split of ["train", "val"]) {
      await image(`${split}/images/a.png`);
      await text(`${split}/labels/a.txt`, "0 0.5 0.5 0.5 0.5\n");
    }
    await text("classes.txt", "cat\n");
    expect(Object.keys((await load()).splits)).toEqual(["train", "val"]);
  });
});

describe("a zip file", () => {
  it("is read in the place of a folder", async () => {
    await image("a.png");
    const content = JSON.stringify(coco("a.png", 1, [1, 2, 3, 4]));
    const picture = await readFile(join(root, "a.png"));
    const entries = ["train", "valid"].flatMap((name) => [
      { name: `export/${name}/a.png`, data: picture },
      { name: `export/${name}/_annotations.coco.json`, data: content },
    ]);
    await writeFile(join(root, "export.zip"), zipOf(entries));
    const { splits, description } = await loadDataset({ dir: join(root, "export.zip") });
    expect(Object.keys(splits)).toEqual(["train", "val"]);
    expect(description).toMatch(/Roboflow\) in .*export-unpacked-[0-9a-f]{8}\/export$/);
  });

  it("that is not there, or is no archive, is named", async () => {
    await expect(loadDataset({ dir: join(root, "none.zip") })).rejects.toThrow(/none\.zip does not exist/);
    await text("export.zip", "not an archive");
    await expect(loadDataset({ dir: join(root, "export.zip") })).rejects.toThrow(/export\.zip cannot be unpacked/);
  });
});
