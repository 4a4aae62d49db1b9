import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { image, message, root, text } from "../../../tests/support/datasetFolder.ts";
import { scanDataset } from "./check/scan.ts";
import { loadDataset } from "./dataset.ts";

const load = () => loadDataset({ dir: root });

/** One image with one row a split, in images/ and labels/. */
async function yolo(row = "0 0.5 0.5 0.2 0.4") {
  for (const name of ["train/a", "train/b", "val/c"]) {
    await image(`images/${name}.png`);
    await text(`labels/${name}.txt`, `${row}\n`);
  }
}

it.each([
  ["lists of folders", "data.yaml", "train: [images/train]\nval: [images/val, images/train]\n", 3],
  ["lists of images", "data.yaml", "path: .\ntrain: train.txt\nval: [val.txt]\n", 1],
  ["folders in a YAML of another name", "coco8.yaml", "train: images/train\nval: images/val\n", 1],
])("%s are read", async (_, name, splits, held) => {
  await yolo();
  await text(name, `${splits}names: [cat]\n`);
  await text("train.txt", `./images/train/b.png\n\n${join(root, "images/train/a.png")}\n`);
  await text("val.txt", "images\\val\\c.png\n");
  const { splits: found, layout } = await load();
  expect(layout).toBe("yolo");
  expect(found.train!.samples.map(({ path }) => path)).toEqual([join(root, "images/train/a.png"), join(root, "images/train/b.png")]); // biome-ignore format: one line
  expect(found.val!.samples).toHaveLength(held);
  for (const { annotations } of [...found.train!.samples, ...found.val!.samples]) expect(annotations).toHaveLength(1);
});

it("a list names its line where an image is not there or lies outside", async () => {
  await yolo();
  await text("data.yaml", "train: train.txt\nval: images/val\nnames: [cat]\n");
  for (const line of ["images/train/gone.png", "../a.png", "/etc/passwd.png"]) {
    await text("train.txt", `images/train/a.png\n${line}\n`);
    expect(await message(load())).toContain(`train.txt, line 2: there is no image ${line} under`);
  }
});

it.each([
  ["on Windows", "C:\\sets\\mine\\images\\train\\a.png", "C:\\sets\\mine\\images\\val"],
  ["on another machine", "/content/mine/images/train/a.png", "/content/mine/images/val"],
  ["on Windows, from the folder of the set on", ".\\images\\train\\a.png", "images\\val"],
  ["by Darknet on Windows", "data\\images\\train\\a.png", "..\\images\\val"],
])("paths that were written %s are found by their ends", async (_, line, folder) => {
  await yolo();
  await text("data.yaml", `train: train.txt\nval: '${folder}'\nnames: [cat]\n`);
  await text("train.txt", `${line}\n`);
  const { splits } = await load();
  expect(splits.train!.samples.map(({ path }) => path)).toEqual([join(root, "images/train/a.png")]);
  expect(splits.val!.samples.map(({ path }) => path)).toEqual([join(root, "images/val/c.png")]);
});

it.each(["images/train", "train.txt"])(
  "names in another Unicode form are one name, of labels, too (%s)",
  async (train) => {
    await yolo();
    const [mac, other] = ["e\u0301", "\u00e9"];
    await rename(join(root, "images/train/a.png"), join(root, `images/train/${mac}.png`));
    await rename(join(root, "labels/train/a.txt"), join(root, `labels/train/${other}.txt`));
    await text("train.txt", `images/train/b.png\nimages/train/${other}.png\n`);
    await text("data.yaml", `train: ${train}\nval: images/val\nnames: [cat]\n`);
    const { splits, problems } = await load();
    expect(splits.train!.samples.map(({ annotations }) => annotations.length)).toEqual([1, 1]);
    expect(problems).toEqual([]);
  },
);

it.each([
  ["a folder", "images/train", "labels/train"],
  ["a list", "train.txt", "labels/train"],
  ["a list, labels beside the images", "beside.txt", "set"],
])("files of boxes that are of no image are told: %s", async (_, train, folder) => {
  await yolo();
  for (const name of ["a", "b"]) {
    await image(`set/${name}.png`);
    await text(`set/${name}.txt`, "0 0.5 0.5 0.2 0.4\n");
  }
  await text("train.txt", "images/train/a.png\nimages/train/b.png\n");
  await text("beside.txt", "set/a.png\nset/b.png\n");
  await text("data.yaml", `train: ${train}\nval: images/val\nnames: [cat]\n`);
  await text(`${folder}/classes.txt`, "cat\n");
  expect((await load()).problems).toEqual([]);
  await rename(join(root, `${folder}/a.txt`), join(root, `${folder}/a.png.txt`));
  expect((await load()).problems).toEqual([
    expect.objectContaining({
      kind: "unread-labels",
      severity: "warning",
      message: expect.stringContaining(`${folder}/a.png.txt holds boxes of no image that is read`),
    }),
  ]);
  await rename(join(root, `${folder}/b.txt`), join(root, `${folder}/B.txt`));
  await text(`${folder}/b.txt`, "0 0.5 0.5 0.2 0.4\n");
  expect((await load()).problems[0]!.message).toContain("2 label files hold boxes (the first:");
});

it("a picture that a listed link leads to is used, and one that no list names is not", async () => {
  await yolo();
  await image("all/a.png");
  await rm(join(root, "images/train/a.png"));
  await symlink("../../all/a.png", join(root, "images/train/a.png"));
  await text("train.txt", "images/train/a.png\n");
  await text("data.yaml", "train: train.txt\nval: images/val\nnames: [cat]\n");
  const { problems } = await scanDataset(await load());
  expect(problems.filter(({ kind }) => kind === "unlisted-file").map(({ file }) => file)).toEqual([
    "images/train/b.png",
  ]);
});

it("a row with key points is its box, as kpt_shape says, and that is said", async () => {
  await yolo("0 0.5 0.5 0.2 0.4 0.05 0.1 0.95 0.9");
  await text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\nkpt_shape: [2, 2]\n");
  const { splits, problems } = await load();
  const [one] = splits.train!.samples[0]!.annotations;
  expect(one!.box.map((v) => Math.round(v * 1e6) / 1e6)).toEqual([8, 3, 12, 7]);
  expect(one!.keypoints).toEqual([1, 1, 2, 19, 9, 2]);
  expect(one).not.toHaveProperty("mask");
  expect(problems.map(({ message }) => message)).toContainEqual(expect.stringContaining("2 rows hold key points"));
  await text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\nkpt_shape: [17, 3]\n");
  expect(await message(load())).toContain("has 9 fields; a box has 5, one with key points 56 (kpt_shape)");
});

it("oriented boxes are warned of, pixels and a wrong nc are refused", async () => {
  await yolo("0 0.1 0.1 0.5 0.2 0.4 0.8 0.05 0.7");
  await text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n");
  expect((await load()).problems[0]!.message).toContain("all rows have four corners (oriented boxes?)");
  await yolo("0 10 5 4 4");
  expect(await message(load())).toContain("2 of 2 rows hold numbers from 2 on, where fractions of the image belong");
  await text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\nnc: 3\n");
  expect(await message(load())).toContain('"nc" is 3, but "names" has 1 classes');
});

it("many polygons with as many corners each may be key points, which is asked; others are not", async () => {
  const rows = (corners: (row: number) => number) =>
    Array.from({ length: 10 }, (_, row) => {
      return ["0", ...Array.from({ length: 2 * corners(row) }, (_, i) => ((7 * i + row) % 10) / 11)].join(" ");
    }).join("\n");
  await yolo(rows(() => 7));
  await text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n");
  const asked = expect.stringMatching(
    /each of 1\d+ rows has 14 numbers.*if they are a box and key points, say so with kpt_shape in data.yaml/,
  );
  expect((await load()).problems.map(({ message }) => message)).toContainEqual(asked);
  await yolo(rows((row) => 5 + (row % 2)));
  expect((await load()).problems.filter(({ kind }) => kind === "not-boxes")).toEqual([]);
});

it("a link that leads out of the data set is named, and not a word of what it leads to", async () => {
  await yolo();
  const yaml = "train: train.txt\nval: images/val\nnames: [cat]\n";
  await text("data.yaml", yaml);
  await text("train.txt", "images/train/a.png\n");
  const secret = join(await mkdtemp(join(tmpdir(), "secret-")), "secret.txt");
  await writeFile(secret, "password: hunter2\n");
  for (const name of ["labels/train/a.txt", "train.txt", "data.yaml"]) {
    const path = join(root, name);
    await rename(path, `${path}.kept`);
    await symlink(secret, path);
    const said = await message(load());
    expect(said).toContain(`${path} is a link that leads out of its folder`);
    expect(said).not.toContain("hunter2");
    await rename(`${path}.kept`, path);
  }
  const inside = join(root, "labels/elsewhere.txt");
  await rename(join(root, "labels/train/a.txt"), inside);
  await symlink(inside, join(root, "labels/train/a.txt"));
  expect((await load()).splits.train!.samples[0]!.annotations).toHaveLength(1);
});

it("label files that nobody reads are named: .TXT is an error, one beside its image a warning", async () => {
  await yolo();
  await text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n");
  await image("images/train/d.png");
  await text("images/train/d.txt", "0 0.5 0.5 0.2 0.4\n");
  expect((await load()).problems[0]!.message).toContain("d.txt lies beside its image and is not read");
  await text("labels/train/d.TXT", "0 0.5 0.5 0.2 0.4\n");
  expect(await message(load())).toContain("d.TXT is not read: the names of label files end in .txt");
});
