// Random data sets, and writers of every layout that is read, each as the tool that it is named for writes it.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import type { SplitName } from "../../src/data/dataset/sample.ts";
import type { Rng } from "../../src/util/random/rng.ts";

type FakeObject = { name: string; box: [x1: number, y1: number, x2: number, y2: number]; polygon?: number[] };
type FakeImage = { file: string; width: number; height: number; objects: FakeObject[] };
export type FakeSet = Partial<Record<SplitName, FakeImage[]>>;

export type FakeFormat = {
  layout: string;
  /** Whether polygons, and the pictures' sizes, are in its files. */
  masks: boolean;
  sizes: boolean;
  /** Splits that it can have; default all. */
  only?: readonly SplitName[];
  put: (root: string, set: FakeSet) => Promise<void>;
};

const NAMES = ["cat", "Ginkgo biloba", "light, red", "größe", 'the "best"', "a&b<c>", "猫", "yes", "1", "Cat's eye"];
const SIZES = [[64, 48], [33, 70], [128, 96], [51, 20]] as const; // biome-ignore format: one line
const FOLDERS: Record<SplitName, string> = { train: "train", val: "valid", test: "test" };
const pictures = new Map<string, Buffer>();

/** A set with a training split and perhaps others, of few images, with or without polygons. */
export function randomSet(rng: Rng, { only }: Pick<FakeFormat, "only">): FakeSet {
  const names = rng.shuffle([...NAMES]).slice(0, 1 + rng.int(4));
  const some: SplitName[] = rng.uniform() < 0.7 ? ["train", "val", "test"].slice(0, 1 + rng.int(3)) as SplitName[] : ["train", "val"]; // biome-ignore format: one line
  const set: FakeSet = {};
  for (const split of only ?? some)
    set[split] = Array.from({ length: 1 + rng.int(4) }, (_, i): FakeImage => {
      const [width, height] = SIZES[rng.int(SIZES.length)]!;
      const folder = rng.uniform() < 0.2 ? "in depth/" : "";
      const file = `${folder}${split} ü,${i}${rng.int(1000)}.${rng.uniform() < 0.5 ? "png" : "PNG"}`;
      const count = i === 0 ? 1 + rng.int(5) : rng.int(5);
      const objects = Array.from({ length: count }, () => randomObject(rng, { names, width, height }));
      return { file, width, height, objects };
    });
  return set;
}

function randomObject(
  rng: Rng,
  { names, width, height }: { names: readonly string[]; width: number; height: number },
): FakeObject {
  const name = names[rng.int(names.length)]!;
  const round = rng.uniform() < 0.3 ? Math.round : (value: number) => value;
  const at = (most: number) => round(rng.uniform() * (most - 1));
  if (rng.uniform() < 0.4) {
    const polygon = Array.from({ length: 2 * (3 + rng.int(5)) }, (_, i) => at(i % 2 === 0 ? width : height));
    const [xs, ys] = [0, 1].map((axis) => polygon.filter((_, i) => i % 2 === axis)) as [number[], number[]];
    const box: FakeObject["box"] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    if (box[2] > box[0] + 1 && box[3] > box[1] + 1) return { name, box, polygon };
  }
  const [x1, y1] = [round(rng.uniform() * (width - 5)), round(rng.uniform() * (height - 5))];
  const more = (most: number) => 2 + rng.uniform() * (most - 2);
  return { name, box: [x1, y1, x1 + round(more(width - x1)), y1 + round(more(height - y1))] };
}

async function put(path: string, content: string | object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
}

async function putImages(folder: string, images: readonly FakeImage[]): Promise<void> {
  for (const { file, width, height } of images) {
    const key = `${width} ${height}`;
    const bytes = pictures.get(key) ?? (await sharp({ create: { width, height, channels: 3, background: "#284" } }).png().toBuffer()); // biome-ignore format: one line
    pictures.set(key, bytes);
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), bytes);
  }
}

const entries = (set: FakeSet) => Object.entries(set) as [SplitName, FakeImage[]][];
const namesOf = (set: FakeSet) => [...new Set(entries(set).flatMap(([, images]) => images.flatMap(({ objects }) => objects.map(({ name }) => name))))].sort(); // biome-ignore format: one line
const stem = (file: string) => file.replace(/\.\w+$/, "");

/** Ids as nobody would number them: what is read must keep them. */
function cocoOf(images: readonly FakeImage[], names: readonly string[], prefix = "") {
  return {
    images: images.map(({ file, width, height }, i) => ({ id: 7 + 3 * i, file_name: prefix + file, width, height })),
    categories: names.map((name, i) => ({ id: 2 + 5 * i, name, supercategory: "none" })),
    annotations: images.flatMap(({ objects }, i) =>
      objects.map(({ name, box: [x1, y1, x2, y2], polygon }, j) => ({
        ...{ id: 1000 * i + 9 * j, image_id: 7 + 3 * i, category_id: 2 + 5 * names.indexOf(name) },
        ...{ bbox: [x1, y1, x2 - x1, y2 - y1], area: (x2 - x1) * (y2 - y1), iscrowd: 0 },
        segmentation: polygon ? [polygon] : [],
      })),
    ),
  };
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function vocOf({ file, width, height, objects }: FakeImage): string {
  const all = objects.map(({ name, box, polygon }) => {
    const sides = ["xmin", "ymin", "xmax", "ymax"].map((key, i) => `<${key}>${box[i]}</${key}>`).join("");
    const corners = polygon?.map((value, i) => `<${"xy"[i % 2]}${1 + (i >> 1)}>${value}</${"xy"[i % 2]}${1 + (i >> 1)}>`); // biome-ignore format: one line
    const shape = corners ? `<polygon>${corners.join("\n")}</polygon>` : "";
    return `<object><name>${escaped(name)}</name><difficult>0</difficult><bndbox>${sides}</bndbox>${shape}</object>`;
  });
  return `<annotation verified="yes">\n<filename>${escaped(file)}</filename><size><width>${width}</width><height>${height}</height></size>\n${all.join("\n")}</annotation>`;
}

const quoted = (field: string | number) => (/[",\n]/.test(String(field)) ? `"${String(field).replaceAll('"', '""')}"` : String(field)); // biome-ignore format: one line
const row = (...fields: (string | number)[]) => `${fields.map(quoted).join(",")}\r\n`;

/** An exporter with a folder of each split, images and annotations in it. */
const inFolders =
  (annotate: (folder: string, images: FakeImage[], names: string[]) => Promise<void>, images = "") =>
  async (root: string, set: FakeSet) => {
    for (const [split, all] of entries(set)) {
      await putImages(join(root, FOLDERS[split], images), all);
      await annotate(join(root, FOLDERS[split]), all, namesOf(set));
    }
  };

async function putVocDevkit(root: string, set: FakeSet): Promise<void> {
  for (const [split, images] of entries(set)) {
    await putImages(join(root, "VOC2012/JPEGImages"), images);
    for (const image of images) await put(join(root, "VOC2012/Annotations", `${stem(image.file)}.xml`), vocOf(image));
    const list = images.map(({ file }) => `${stem(file)}\n`).join("");
    await put(join(root, "VOC2012/ImageSets/Main", `${split}.txt`), list);
  }
}

async function putYolo(root: string, set: FakeSet): Promise<void> {
  const names = namesOf(set);
  for (const [split, images] of entries(set)) {
    await putImages(join(root, FOLDERS[split], "images"), images);
    for (const { file, width, height, objects } of images) {
      const rows = objects.map(({ name, box: [x1, y1, x2, y2], polygon }) => {
        const numbers = polygon ?? [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1];
        return [names.indexOf(name), ...numbers.map((value, i) => value / (i % 2 === 0 ? width : height))].join(" ");
      });
      await put(join(root, FOLDERS[split], "labels", `${stem(file)}.txt`), rows.join("\n"));
    }
  }
  await put(join(root, "data.yaml"), `names: ${JSON.stringify(names)}\n`);
}

const labelme = inFolders(async (folder, images) => {
  for (const { file, width, height, objects } of images)
    await put(join(folder, `${stem(file)}.json`), {
      version: "5.4.1",
      flags: {},
      shapes: objects.map(({ name, box: [x1, y1, x2, y2], polygon }) => ({
        label: name,
        points: polygon ? polygon.flatMap((x, i) => (i % 2 === 0 ? [[x, polygon[i + 1]]] : [])) : [[x2, y1], [x1, y2]], // biome-ignore format: one line
        ...{ group_id: null, shape_type: polygon ? "polygon" : "rectangle", flags: {} },
      })),
      ...{ imagePath: file.split("/").at(-1), imageData: null, imageHeight: height, imageWidth: width },
    });
});

const createml = inFolders(async (folder, images) => {
  const list = images.map(({ file, objects }) => ({
    image: file,
    annotations: objects.map(({ name, box: [x1, y1, x2, y2] }) => ({
      ...{ label: name, coordinates: { x: (x1 + x2) / 2, y: (y1 + y2) / 2, width: x2 - x1, height: y2 - y1 } },
    })),
  }));
  await put(join(folder, "_annotations.createml.json"), list);
});

const csv = inFolders(async (folder, images) => {
  const rows = images.flatMap(
    ({ file, width, height, objects }) =>
    objects.length === 0 ? [row(file, width, height, "", "", "", "", "")] : objects.map(({ name, box }) => row(file, width, height, name, ...box)), // biome-ignore format: one line
  );
  await put(join(folder, "_annotations.csv"), `filename,width,height,class,xmin,ymin,xmax,ymax\r\n${rows.join("")}`);
});

async function putKerasCsv(root: string, set: FakeSet): Promise<void> {
  for (const [split, images] of entries(set)) {
    await putImages(join(root, "images"), images);
    const rows = images.flatMap(({ file, objects }) => (objects.length === 0 ? [row(`/home/me/images/${file}`, "", "", "", "", "")] : objects.map(({ name, box }) => row(`images/${file}`, ...box, name)))); // biome-ignore format: one line
    await put(join(root, `${split}.csv`), rows.join(""));
  }
}

async function putCvat(root: string, set: FakeSet): Promise<void> {
  const called: Record<SplitName, string> = { train: "Train", val: "Validation", test: "Test" };
  for (const [split, images] of entries(set)) {
    await putImages(join(root, "images", called[split]), images);
    await put(join(root, `annotations/instances_${called[split]}.json`), cocoOf(images, namesOf(set)));
  }
}

const putCoco = inFolders((folder, images, names) =>
  put(join(folder, "_annotations.coco.json"), cocoOf(images, names)),
);

/** By the tool or the layout. */
export const FAKE_FORMATS: Record<string, FakeFormat> = {
  "Roboflow's COCO": { layout: "roboflow-coco", masks: true, sizes: true, put: putCoco },
  "CVAT's COCO": { layout: "coco", masks: true, sizes: true, put: putCvat },
  "CVAT's COCO without splits": {
    ...{ layout: "coco", masks: true, sizes: true, only: ["train"] },
    put: async (root, { train = [] }) => {
      await putImages(join(root, "images/default"), train);
      await put(join(root, "annotations/instances_default.json"), cocoOf(train, namesOf({ train })));
    },
  },
  "Label Studio's COCO": {
    ...{ layout: "coco", masks: true, sizes: true, only: ["train"] },
    put: async (root, { train = [] }) => {
      await putImages(join(root, "images"), train);
      await put(join(root, "result.json"), cocoOf(train, namesOf({ train }), "images\\"));
    },
  },
  "FiftyOne's COCO": {
    ...{ layout: "coco", masks: true, sizes: true },
    put: inFolders((folder, images, names) => put(join(folder, "labels.json"), cocoOf(images, names)), "data"),
  },
  YOLO: { layout: "yolo", masks: true, sizes: true, put: putYolo },
  "the VOC devkit": { layout: "voc", masks: true, sizes: true, put: putVocDevkit },
  "Roboflow's VOC": {
    ...{ layout: "voc", masks: true, sizes: true },
    put: inFolders(async (folder, images) => {
      for (const image of images) await put(join(folder, `${stem(image.file)}.xml`), vocOf(image));
    }),
  },
  LabelMe: { layout: "labelme", masks: true, sizes: true, put: labelme },
  CreateML: { layout: "createml", masks: false, sizes: false, put: createml },
  "TensorFlow's CSV": { layout: "csv", masks: false, sizes: true, put: csv },
  "Keras RetinaNet's CSV": { layout: "csv", masks: false, sizes: false, put: putKerasCsv },
};
