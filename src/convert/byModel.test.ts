import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { coco, image, message, root, text } from "../../tests/support/datasetFolder.ts";
import { datasetSummary, loadDataset } from "../data/dataset/dataset.ts";
import { datasetFingerprint } from "../data/dataset/fingerprint.ts";
import { factLine } from "../util/text/fact.ts";
import { convertDataset } from "./convertDataset.ts";
import { divideDataset } from "./lists/divide.ts";

const ABOUT = { weights: "w <&>.pth", sha256: "ab".repeat(32), program: "rfdetr-train 1", date: "2026-01-01", threshold: 0.5 }; // biome-ignore format: one line
const MODEL = "w <&>.pth, pascal voc";
const FORMATS = ["coco", "yolo", "voc"] as const;

/** Pictures of a split, each with a box; of those that a model labelled, image and box have the mark. */
async function split(folder: string, pictures: readonly { name: string; by?: "model" | "both" | "person" }[]) {
  const marked = pictures.map(({ by = "person" }) => by !== "person");
  const one = { info: { made_by_model: [{ model: MODEL, ...ABOUT }] }, ...coco("", 1) };
  for (const { name } of pictures) await image(`${folder}/${name}`, 20, 10, 10 + name.charCodeAt(0));
  await text(`${folder}/_annotations.coco.json`, {
    ...one,
    images: pictures.map(({ name }, id) => ({ id, file_name: name, width: 20, height: 10, ...(pictures[id]!.by === "model" && { made_by_model: MODEL }) })), // biome-ignore format: one line
    annotations: pictures.flatMap(({ by }, i) => [
      { id: 2 * i, image_id: i, category_id: 1, bbox: [1, 2, 3, 4], ...(marked[i] && { made_by_model: MODEL, score: 0.75 }) }, // biome-ignore format: one line
      ...(by === "both" ? [{ id: 2 * i + 1, image_id: i, category_id: 1, bbox: [5, 2, 3, 4] }] : []),
    ]),
  });
}

const read = (dir: string, options = {}) => loadDataset({ dir: join(root, dir) }, { require: [], ...options });
const convert = (from: string, to: (typeof FORMATS)[number], out: string) =>
  convertDataset({ dir: join(root, from) }, { to, out: join(root, out) });

describe.each(FORMATS)("labels by a model in %s", (to) => {
  it("keep their mark, with what is known of it, through every other format", async () => {
    await split("set/train", [{ name: "a.png", by: "model" }, { name: "b.png" }]);
    for (const via of FORMATS) {
      await convert("set", via, `${via}-first`);
      await convert(`${via}-first`, to, `${via}-then`);
      const dataset = await read(`${via}-then`);
      const [marked, plain] = dataset.splits.train!.samples;
      const about = { model: MODEL, about: ABOUT };
      expect({ via, marked }).toMatchObject({
        marked: { byModel: about, annotations: [{ byModel: about, score: 0.75 }] },
      });
      expect(plain!.byModel ?? plain!.annotations[0]!.byModel).toBeUndefined();
      expect(datasetSummary(dataset).map(factLine).join("\n")).toContain(`Labels by a model: 1 image and 1 box of train are labelled by a model and not yet seen by a person: ${MODEL}`); // biome-ignore format: one line
    }
  });

  it("are refused in val with the file and the remedy, and no more once the mark is removed as it says", async () => {
    await split("set/train", [{ name: "a.png" }]);
    await split("set/valid", [{ name: "c.png" }]);
    await convert("set", to, "clean");
    await split("made/train", [{ name: "a.png" }, { name: "c.png", by: "model" }]);
    await convert("made", to, "marked");
    const folder = { coco: "train", yolo: "train/labels", voc: "Annotations" }[to];
    const names = (await readdir(join(root, "marked", folder))).filter((name) => /\.json$|c\.xml$/.test(name));
    expect(names).toHaveLength(1);
    const [name] = names as [string];
    const content = await readFile(join(root, "marked", folder, name), "utf8");
    const place = `clean/${{ coco: "valid", yolo: "valid/labels", voc: "Annotations" }[to]}/${name}`;
    const moved = to === "coco" ? JSON.stringify(keepImage(JSON.parse(content), "c.png")) : content;
    await text(place, moved);
    const said = await message(read("clean"));
    expect(said).toMatch(new RegExp(`^\\S*${place}: 1 image and 1 box of val are labelled by a model and not yet seen by a person, the first in c.png; .* Move these pictures to train\\. Or, once a person has corrected them, delete`)); // biome-ignore format: one line
    expect(said).toContain({ coco: 'the key "made_by_model"', yolo: 'their names from "files"', voc: "the elements <made_by_model>" }[to]); // biome-ignore format: one line
    if (to === "yolo") await rm(join(root, place));
    else await text(place, moved.replaceAll(/<made_by_model>.*<\/made_by_model>|,"made_by_model":"[^"]*"/g, ""));
    expect((await read("clean")).splits.val!.samples).toHaveLength(1);
  });

  it("do not go into val when the set is divided, nor into a part that is held back", async () => {
    const byHand = Array.from("abcdefgh", (letter) => ({ name: `${letter}.png` }));
    const byModel = Array.from("ijklmnop", (letter) => ({ name: `${letter}.png`, by: "model" as const }));
    await split("set/train", [...byHand, ...byModel]);
    await convert("set", to, "made");
    const source = { dir: join(root, "made"), val_fraction: 0.5, near_duplicates: "apart" as const };
    const held = await loadDataset(source);
    const files = (samples: readonly { file: string }[]) => samples.map(({ file }) => file);
    expect(files(held.splits.val!.samples)).toHaveLength(4);
    expect(files(held.splits.val!.samples).filter((file) => file > "i")).toEqual([]);
    expect(datasetSummary(held).map(factLine).join("\n")).toMatch(/8 images stay in train: a model labelled them/);
    const out = join(root, to === "yolo" ? "made" : "lists");
    const division = await divideDataset({ dir: join(root, "made"), out, val: 0.5, near: false });
    expect(division).toMatchObject({ byModel: 8, splits: { train: { images: 12 }, val: { images: 4 } } });
    const again = await loadDataset(division.data as object);
    expect(again.notes?.map(factLine).join("\n")).toMatch(/^Labels by a model: 8 images and 8 boxes of train/);
  });
});

it("a picture with one box of a model among a person's is refused in val, and has the mark as a whole in YOLO's layout", async () => {
  await split("set/train", [{ name: "a.png" }, { name: "b.png", by: "both" }]);
  const { notes } = await convert("set", "yolo", "yolo");
  expect(notes.join("\n")).toContain("Pictures with boxes of a model and of a person, all of which are marked as a model's now: 1."); // biome-ignore format: one line
  expect((await read("yolo")).splits.train!.samples[1]!.annotations.map(({ byModel }) => byModel?.model)).toEqual([MODEL, MODEL]); // biome-ignore format: one line
  await split("set/valid", [{ name: "c.png", by: "both" }]);
  expect(await message(read("set"))).toContain("1 image and 1 box of val are labelled by a model");
});

it("a set whose pictures are all by a model cannot be held back from, and says why", async () => {
  await split("set/train", [
    { name: "a.png", by: "model" },
    { name: "b.png", by: "model" },
  ]);
  const source = { dir: join(root, "set"), val_fraction: 0.5 };
  expect(await message(loadDataset(source))).toContain("2 of the 2 training images are labelled by a model");
});

it("a mark that names nothing is one nevertheless, a wrong file of marks an error, and hashes of the data do not see marks", async () => {
  await split("set/train", [{ name: "a.png", by: "model" }]);
  const before = await datasetFingerprint(await read("set"));
  const path = "set/train/_annotations.coco.json";
  const content = await readFile(join(root, path), "utf8");
  await text(path, content.replaceAll(JSON.stringify(MODEL), "true"));
  const dataset = await read("set");
  expect(dataset.splits.train!.samples[0]!.byModel).toMatchObject({ model: "a model that is not named" });
  await text(path, content.replaceAll(`,"made_by_model":${JSON.stringify(MODEL)}`, ""));
  expect(await datasetFingerprint(await read("set"))).toBe(before);
  expect(await datasetFingerprint(dataset)).toBe(before);
  await convert("set", "yolo", "yolo");
  await text("yolo/train/labels/made-by-model-1.json", "[]");
  expect(await message(read("yolo"))).toContain("made-by-model-1.json does not say which label files a model made");
});

/** A COCO file with one of its images. */
function keepImage(file: ReturnType<typeof coco>, name: string): object {
  const images = file.images.filter(({ file_name }) => file_name === name);
  const annotations = file.annotations.filter(({ image_id }) => image_id === images[0]!.id);
  return { ...file, images, annotations };
}
