import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { coco, image, root } from "../../../../tests/support/datasetFolder.ts";
import { UserError } from "../../../util/errors.ts";
import { loadDataset } from "../dataset.ts";

type Files = Record<string, string | object | Buffer>;

/** Write a set whose pictures are train/a.png and valid/b.png, and read it: all that is said of it. */
async function said(files: Files): Promise<string[]> {
  for (const path of ["train/a.png", "valid/b.png"]) await image(path);
  await image("secret.png");
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    const isText = typeof content === "string" || Buffer.isBuffer(content);
    await writeFile(join(root, path), isText ? content : JSON.stringify(content));
  }
  try {
    const { problems, splits } = await loadDataset({ dir: root }, { strict: false });
    expect(Object.keys(splits)).toEqual(["train", "val"]);
    return problems.map(({ message }) => message);
  } catch (cause) {
    expect(cause).toBeInstanceOf(UserError);
    return [(cause as UserError).message];
  }
}

/** What is wrong, the files that are so, and what must be said of them. */
type Case = [string, Files, RegExp];

function refuses(right: Files, cases: Case[]): void {
  it("has nothing to say of a set that is right", async () => {
    expect(await said(right)).toEqual([]);
  });
  it.each(cases)("names %s", async (_, files, why) => {
    const messages = await said({ ...right, ...files });
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(why);
  });
}

const box = (...sides: (number | string)[]) => `<bndbox>${["xmin", "ymin", "xmax", "ymax"].map((key, i) => (sides[i] === undefined ? "" : `<${key}>${sides[i]}</${key}>`)).join("")}</bndbox>`; // biome-ignore format: one line
const BOX = box(1, 2, 5, 8);
const object = (inside: string, name = "<name>cat</name>") => `<object>${name}${inside}</object>`;
const xml = (objects: string, file = "a.png") =>
  `<annotation><filename>${file}</filename><size><width>20</width><height>10</height></size>${objects}</annotation>`;

describe("Pascal VOC beside the images", () => {
  const a = (inside: string): Files => ({ "train/a.xml": xml(object(inside)) });
  const c = (text: string | Buffer): Files => ({ "train/c.xml": text });
  refuses({ ...a(BOX), "valid/b.xml": xml(object(BOX), "b.png") }, [
    ["half a file", c("<annotation><object>"), /c\.xml, line 1: not valid XML/],
    ["an empty file", c(""), /c\.xml.* not valid XML/],
    ["another kind of XML", c("<html/>"), /c\.xml is no annotation of Pascal VOC: its outermost element is <html>/],
    ["entities", c('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'), /c\.xml, line 1.*document type/],
    ["bytes that are no text", c(Buffer.from([0x3c, 0x61, 0xff, 0x3e])), /c\.xml is not text in utf-8/],
    ["an object without a box", a(""), /a\.xml, object 1 has no <bndbox>\./],
    ["an object with a turned box", a("<robndbox><cx>3</cx></robndbox>"), /object 1 has no <bndbox>; its <robndbox> is not read/],
    ["an object with two boxes", a(BOX + BOX), /object 1 has 2 boxes/],
    ["a coordinate that is no number", a(box("x", 2, 5, 8)), /a\.xml, object 1 \(image a\.png\) has a box with a coordinate that is not a number/],
    ["a coordinate that is not there", a(box(1, 2, 5)), /object 1 .*not a number/],
    ["an infinite coordinate", a(box(1, 2, "1e999", 8)), /object 1 .*not a number/],
    ["a number with something behind it", a(box("1px", 2, 5, 8)), /object 1 .*not a number/],
    ["a box of negative size", a(box(5, 2, 1, 8)), /object 1 .*negative size/],
    ["a box without area", a(box(5, 2, 5, 8)), /object 1 .*has no area/],
    ["a box outside of the image", a(box(30, 2, 35, 8)), /object 1 .*lies outside/],
    ["a box that reaches out", a(box(15, 2, 35, 8)), /object 1 .*reaches out/],
    ["an object without a name", { "train/a.xml": xml(object(BOX) + object(box(2, 2, 6, 6), "")) }, /a\.xml, object 2 .*has no name of a class/],
    ["an object with an empty name", { "train/a.xml": xml(object(BOX) + object(box(2, 2, 6, 6), "<name> </name>")) }, /object 2 .*has no name/],
    ["the same box twice", { "train/a.xml": xml(object(BOX) + object(BOX)) }, /a\.xml: a\.png has the same box of cat twice/],
    ["an image that is not there", c(xml(object(BOX), "gone.png")), /c\.xml is of gone\.png, which is not in/],
    ["no name of an image", c("<annotation/>"), /c\.xml is of c, which is not in/],
    ["an image outside of the set", c(xml(object(BOX), "../../secret.png")), /c\.xml: image \.\.\/\.\.\/secret\.png lies outside/],
    ["two files of one image", c(xml(object(BOX), "a.png")), /c\.xml is of the image a\.png, and so is .*a\.xml: keep one/],
    ["a polygon of two points", a(`${BOX}<polygon><x1>1</x1><y1>1</y1><x2>2</x2><y2>2</y2></polygon>`), /object 1 has a polygon that is not/],
    ["a polygon of words", a(`${BOX}<polygon>${["x1", "y1", "x2", "y2", "x3", "y3"].map((key) => `<${key}>?</${key}>`).join("")}</polygon>`), /polygon that is not/],
    ["a polygon of points", a(`${BOX}<polygon><pt><x>1</x><y>1</y></pt></polygon>`), /object 1 has a polygon that is not/],
    ["parts", a(`${BOX}<part><name>head</name>${BOX}</part>`), /train: 1 <part> elements are not read, the first in .*a\.xml/],
    ["fractions in the place of pixels", a(box(0.1, 0.2, 0.5, 0.8)), /train: all 1 boxes lie between 0 and 1/],
  ]); // biome-ignore format: a row each
});

describe("the VOC devkit", () => {
  const right: Files = {
    "Annotations/a.xml": xml(object(BOX), "train/a.png"),
    "Annotations/b.xml": xml(object(BOX), "valid/b.png"),
    "ImageSets/Main/train.txt": "a\n",
    "ImageSets/Main/val.txt": "b\r\n",
  };
  refuses(right, [
    ["an image of a list without a file", { "ImageSets/Main/train.txt": "a\nz\n" }, /train\.txt, line 2 names z, which has no XML file in .*Annotations/],
    ["a way out in a list", { "ImageSets/Main/train.txt": "a\n../secret\n" }, /train\.txt, line 2 names \.\.\/secret, which has no XML file/],
    ["an image that is listed twice", { "ImageSets/Main/train.txt": "a\na\n" }, /train\.txt, line 2 names a, as a line before does/],
    ["an empty list", { "ImageSets/Main/train.txt": "\n" }, /train split of the data set holds no images: .*train\.txt/],
  ]); // biome-ignore format: a row each
});

const shape = (more: object = {}) => ({ label: "cat", shape_type: "rectangle", points: [[1, 2], [5, 8]], ...more }); // biome-ignore format: one line
const labelme = (shapes: unknown, more: object = {}) => ({ shapes, imagePath: "a.png", imageWidth: 20, imageHeight: 10, ...more }); // biome-ignore format: one line

describe("LabelMe", () => {
  const a = (...shapes: unknown[]): Files => ({ "train/a.json": labelme([shape(), ...shapes]) });
  const c = (content: string | object): Files => ({ "train/c.json": content });
  const deep = `{"shapes":${"[".repeat(200)}${"]".repeat(200)}}`;
  const polygon = (...points: unknown[]) => shape({ shape_type: "polygon", points });
  refuses({ ...a(), "valid/b.json": labelme([shape()], { imagePath: "b.png" }) }, [
    ["half a file", c('{"shapes": ['), /c\.json is not valid JSON/],
    ["an empty file", c(""), /c\.json is not valid JSON/],
    ["a list", c([]), /c\.json is no file of LabelMe: it has no list "shapes"/],
    ["shapes that are no list", c({ shapes: {} }), /c\.json is no file of LabelMe/],
    ["great depth", c(deep), /c\.json is JSON that is nested deeper/],
    ["a shape that is none", a(3), /a\.json, shape 2 is not an object/],
    ["a shape without a label", a(shape({ label: undefined })), /shape 2 has no "label"/],
    ["a label that is a number", a(shape({ label: 3 })), /shape 2 has no "label"/],
    ["an empty label", a(shape({ label: "", points: [[2, 2], [6, 6]] })), /shape 2 .*has no name of a class/],
    ["a circle", a(shape({ shape_type: "circle" })), /a\.json, shape 2 \(cat\) is a circle, which is not read/],
    ["a line", a(shape({ shape_type: "line" })), /shape 2 \(cat\) is a line, which is not read/],
    ["a point", a(shape({ shape_type: "point", points: [[1, 1]] })), /shape 2 \(cat\) is a point, which is not read/],
    ["a drawn mask", a(shape({ shape_type: "mask", mask: "iVBO" })), /shape 2 \(cat\) is a mask, which is not read/],
    ["a shape of no kind", a(shape({ shape_type: 7 })), /shape 2 \(cat\) is a something else, which is not read/],
    ["points that are no list", a(shape({ points: "1 2" })), /shape 2 has no list "points" of pairs/],
    ["points of three numbers", a(shape({ points: [[1, 2, 3], [4, 5, 6]] })), /shape 2 has no list "points" of pairs/],
    ["a rectangle of one point", a(shape({ points: [[1, 2]] })), /shape 2 is a rectangle of 1 points/],
    ["a polygon of two points", a(polygon([1, 2], [3, 4])), /shape 2 is a polygon of 2 points/],
    ["a coordinate that is null", a(shape({ points: [[1, null], [5, 8]] })), /shape 2 \(image a\.png\) has a box with a coordinate that is not a number/],
    ["a coordinate that is a word", a(polygon([1, "x"], [5, 8], [3, 3])), /shape 2 .*not a number/],
    ["a rectangle without area", a(shape({ points: [[1, 2], [1, 8]] })), /shape 2 .*has no area/],
    ["a rectangle outside", a(shape({ points: [[31, 2], [35, 8]] })), /shape 2 .*lies outside/],
    ["an image that is not there", c(labelme([shape()], { imagePath: "gone.png" })), /c\.json is of gone\.png, which is not in/],
    ["an image outside of the set", c(labelme([shape()], { imagePath: "..\\..\\secret.png" })), /c\.json: image \.\.\/\.\.\/secret\.png lies outside/],
    ["two files of one image", c(labelme([shape()])), /c\.json is of the image a\.png, and so is .*a\.json/],
  ]); // biome-ignore format: a row each
});

describe("CreateML", () => {
  const at = (more: object = {}) => ({ x: 5, y: 5, width: 4, height: 6, ...more });
  const one = (coordinates: unknown, more: object = {}) => ({ label: "cat", coordinates, ...more });
  const train = (content: unknown): Files => ({ "train/_annotations.createml.json": content as object });
  const a = (...annotations: unknown[]) => train([{ image: "a.png", annotations }]);
  const and = (entry: unknown) => train([{ image: "a.png", annotations: [one(at())] }, entry]);
  const valid = [{ image: "b.png", annotations: [one(at())] }];
  refuses({ ...a(one(at())), "valid/_annotations.createml.json": valid }, [
    ["half a file", train("[{"), /createml\.json.*is not valid JSON/],
    ["an object", train({}), /createml\.json is no file of CreateML: the top level is not a list/],
    ["an entry that is none", and(3), /createml\.json, image 2 needs the name of an "image"/],
    ["an entry without an image", and({ annotations: [] }), /image 2 needs the name of an "image"/],
    ["an image that is a number", and({ image: 3, annotations: [] }), /image 2 needs the name of an "image"/],
    ["an entry without annotations", and({ image: "c.png" }), /image 2 needs .* and a list "annotations"/],
    ["annotations that are no list", and({ image: "c.png", annotations: {} }), /image 2 needs .* a list "annotations"/],
    ["an annotation that is none", a(one(at()), null), /annotation 2 of image 1 \(a\.png\) needs a "label"/],
    ["an annotation without a label", a(one(at()), { coordinates: at() }), /annotation 2 of image 1 .*needs a "label"/],
    ["an annotation without coordinates", a(one(at()), { label: "cat" }), /annotation 2 .*needs a "label" and "coordinates"/],
    ["a width that is not there", a(one(at({ width: undefined }))), /annotation 1 of image 1 \(image a\.png\) has a box with a coordinate that is not a number/],
    ["a place that is a word", a(one(at({ x: "left" }))), /annotation 1 .*not a number/],
    ["a negative width", a(one(at({ width: -4 }))), /annotation 1 .*negative size/],
    ["a box without area", a(one(at({ width: 0 }))), /annotation 1 .*has no area/],
    ["an empty label", a(one(at()), one(at({ x: 9 }), { label: "" })), /annotation 2 .*has no name of a class/],
    ["an image that is not there", and({ image: "gone.png", annotations: [] }), /createml\.json is of gone\.png, which is not in/],
    ["an image outside of the set", and({ image: "../../secret.png", annotations: [] }), /image \.\.\/\.\.\/secret\.png lies outside/],
    ["an image that is there twice", and({ image: "a.png", annotations: [] }), /is of the image a\.png, twice: keep one/],
    ["fractions in the place of pixels", a(one({ x: 0.5, y: 0.5, width: 0.1, height: 0.2 })), /all 1 boxes lie between 0 and 1/],
  ]); // biome-ignore format: a row each
});

describe("CSV", () => {
  const header = "filename,width,height,class,xmin,ymin,xmax,ymax\n";
  const right = `${header}a.png,20,10,cat,1,2,5,8\n`;
  const train = (text: string): Files => ({ "train/_annotations.csv": text });
  const and = (row: string) => train(`${right}${row}\n`);
  refuses({ ...train(right), "valid/_annotations.csv": right.replace("a.png", "b.png") }, [
    ["columns that it does not know", train("name,box\na.png,1 2 3 4\n"), /_annotations\.csv is no table of boxes: its first row is "name,box"/],
    ["an empty file", train(""), /_annotations\.csv is no table of boxes: its first row is ""/],
    ["a row with too few fields", and("a.png,20,10,cat,1,2,5"), /_annotations\.csv, line 3 has 7 fields, the first one 8/],
    ["a row with too many fields", and("a.png,20,10,cat,1,2,5,8,9"), /line 3 has 9 fields/],
    ["a mark that is never closed", and('"a.png,20,10,cat,1,2,5,8'), /line 3 has 1 fields/],
    ["a row without an image", and(",20,10,cat,1,2,5,8"), /line 3 names no image/],
    ["a row without a class", and("a.png,20,10,,2,2,6,6"), /line 3 \(image a\.png\) has no name of a class/],
    ["a coordinate that is a word", and("a.png,20,10,cat,x,2,5,8"), /line 3 .*not a number/],
    ["a coordinate that is not there", and("a.png,20,10,cat,,2,5,8"), /line 3 .*not a number/],
    ["a box of negative size", and("a.png,20,10,cat,5,2,1,8"), /line 3 .*negative size/],
    ["a box without area", and("a.png,20,10,cat,5,2,5,8"), /line 3 .*has no area/],
    ["a box outside of the image", and("a.png,20,10,cat,30,2,35,8"), /line 3 .*lies outside/],
    ["another size of an image", and("a.png,21,10,cat,2,2,6,6"), /line 3 says another size of a\.png/],
    ["an image that is not there", and("gone.png,20,10,cat,1,2,5,8"), /is of gone\.png, which is not in/],
    ["an image outside of the set", and("../../secret.png,20,10,cat,1,2,5,8"), /image \.\.\/\.\.\/secret\.png lies outside/],
    ["two names of one image", and("x/a.png,20,10,cat,2,2,6,6"), /is of the image a\.png, twice: keep one/],
    ["bytes that are no text", { "train/_annotations.csv": Buffer.from(`${header}a.png,20,10,b\xe4r,1,2,5,8\n`, "latin1") }, /is not a text file in UTF-8/],
    ["fractions in the place of pixels", train(`${header}a.png,20,10,cat,0.1,0.2,0.5,0.8\n`), /all 1 boxes lie between 0 and 1/],
  ]); // biome-ignore format: a row each
});

describe("Darknet's obj.data", () => {
  const data = (changes: Record<string, string | null> = {}) => {
    const keys = { classes: "2", train: "train.txt", valid: "valid.txt", names: "obj.names", ...changes };
    return Object.entries(keys).flatMap(([key, value]) => (value === null ? [] : [`${key} = ${value}`])).join("\n"); // biome-ignore format: one line
  };
  const labels = (text: string): Files => ({ "train/a.txt": text });
  const list = (text: string): Files => ({ "train.txt": text });
  const right = { "obj.names": "cat\ndog\n", "train.txt": "data/train/a.png\n", "valid.txt": "data/valid/b.png\n", "valid/b.txt": "1 0.5 0.5 0.2 0.2\n", ...labels("0 0.5 0.5 0.4 0.4\n") }; // biome-ignore format: one line
  refuses({ ...right, "obj.data": data() }, [
    ["a number of classes that the names have not", { "obj.data": data({ classes: "3" }) }, /obj\.data: "classes" is 3, but obj\.names has 2 classes/],
    ["a number of classes that is none", { "obj.data": data({ classes: "two" }) }, /obj\.data: "classes" is two, but obj\.names has 2 classes/],
    ["names that are not there", { "obj.data": data({ names: "gone.names" }) }, /obj\.data names its classes in gone\.names, which is not in/],
    ["names outside of the set", { "obj.data": data({ names: "../../../etc/hostname" }) }, /obj\.data names its classes in .*hostname, which is not in/],
    ["no names at all", { "obj.names": "\n \n" }, /obj\.names names no classes/],
    ["names that are no text", { "obj.names": Buffer.from([0x63, 0xff, 0xfe, 0x0a, 0x64]) }, /obj\.names is not a text file in UTF-8/],
    ["a list that is not there", { "obj.data": data({ valid: "gone.txt" }) }, /obj\.data: the folder of "valid" \(gone\.txt\) with its labels was not found/],
    ["a list without images", list(""), /The train split of the data set holds no images: .*obj\.data/],
    ["an image that is not there", list("data/train/a.png\ndata/train/gone.png\n"), /gone\.png/],
    ["an image outside of the set", list("data/train/a.png\n../../secret.png\n"), /secret\.png/],
    ["an image twice", list("data/train/a.png\n./train/a.png\n"), /obj\.data: "train" names train\/a\.png again in train\.txt: it counts once/],
    ["no list for training", { "obj.data": data({ train: null }) }, /train/],
    ["a label of four columns", labels("0 0.5 0.5 0.4\n"), /a\.txt.*line 1|a\.txt:1/],
    ["a class that is not named", labels("2 0.5 0.5 0.4 0.4\n"), /a\.txt.*class/],
    ["a class that is no number", labels("cat 0.5 0.5 0.4 0.4\n"), /a\.txt/],
    ["a coordinate that is no number", labels("0 0.5 x 0.4 0.4\n"), /a\.txt/],
    ["a box without area", labels("0 0.5 0.5 0 0.4\n"), /a\.txt|a\.png/],
    ["the same box twice", labels("0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.4 0.4\n"), /a\.txt has the same box of cat twice/],
    ["labels that are no text", { "train/a.txt": Buffer.from([0x30, 0x20, 0xff, 0xfe]) }, /a\.txt is not a text file in UTF-8/],
  ]); // biome-ignore format: a row each
});

describe("COCO in the folders of tools, and YOLO", () => {
  const [a, b] = [coco("a.png", 1, [1, 2, 3, 4]), coco("b.png", 1, [1, 2, 3, 4])];
  const cases: Case[] = [
    ["FiftyOne's file without classes", { "train/labels.json": { images: [] }, "train/data/x": "" }, /labels\.json is not a COCO annotation file: "categories" is missing/],
    ["Label Studio's images that are not there", { "train/result.json": coco("images/gone.png", 1, [1, 2, 3, 4]), "train/images/x": "", "valid/result.json": b, "valid/images/x": "" }, /result\.json lists images\/gone\.png, which is not in/],
    ["CVAT's subsets that are no splits", { "annotations/instances_one.json": a, "annotations/instances_two.json": b }, /Which of instances_one\.json, instances_two\.json in .* is which split/],
    ["annotations without a folder of images", { "annotations/instances_val.json": b, "annotations/instances_Test.json": b }, /instances_val\.json has no folder of images|instances_Test\.json has no folder of images/],
    ["names in Latin-1", { "annotations/instances_train.json": Buffer.from(JSON.stringify(coco("a.png", 1, [1, 2, 3, 4])).replace("cat", "b\xe4r"), "latin1"), "images/x": "" }, /instances_train\.json is not a text file in UTF-8/],
    ["files that are cut", { "annotations/instances_train.json": '{"images": [', "images/x": "" }, /instances_train\.json.* is not valid JSON/],
    ["two layouts in one folder", { "train/_annotations.coco.json": a, "valid/_annotations.coco.json": b, "train/a.xml": xml(object(BOX)) }, /Several data sets lie in .*: COCO annotations beside the images.*; Pascal VOC/],
    ["two tables", { "train/one.csv": "image,label,x1,y1,x2,y2\n", "train/two.csv": "image,label,x1,y1,x2,y2\n" }, /Several tables of boxes lie in .*train: one\.csv, two\.csv/],
    ["a row of YOLO's", { "data.yaml": "names: [cat]\ntrain: images/t\nval: images/v\n", "images/t/x": "", "images/v/x": "" }, /the folder of "train" \(images\/t\) with its labels was not found/],
    ["no data set", { "readme.txt": "" }, /No data set was recognised/],
  ]; // biome-ignore format: a row each
  it.each(cases)("are refused with %s", async (_, files, why) => {
    expect((await said(files)).join("\n")).toMatch(why);
  });

  it("CVAT's own XML is named with what to do", async () => {
    await said({ "annotations.xml": "<annotations/>" });
    await expect(loadDataset({ dir: root })).rejects.toMatchObject({ hint: expect.stringContaining("export the task again as COCO 1.0") }); // biome-ignore format: one line
  });
});

it("an annotation file that is a link out of the set is not read", async () => {
  const files = { "train/a.xml": xml(object(BOX)), "valid/b.xml": xml(object(BOX), "b.png") };
  await said(files);
  await symlink("/etc/hostname", join(root, "train/c.xml"));
  const messages = (await loadDataset({ dir: root }, { strict: false })).problems.map(({ message }) => message);
  expect(messages).toEqual([expect.stringMatching(/c\.xml is a link that leads out of its folder/)]);
});
