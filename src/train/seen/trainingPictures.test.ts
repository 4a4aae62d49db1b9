import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadDataset } from "../../data/dataset/dataset.ts";
import { recipeArchitecture } from "../recipeArchitecture.ts";
import { type PicturesOptions, trainingPictures } from "./trainingPictures.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pictures-"));
  await tinyDataset(join(dir, "data"), { masks: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function write({ name, ...options }: Omit<PicturesOptions, "out"> & { name: string }) {
  const recipe = tinyRecipe(join(dir, "data"));
  recipe.data.batch_size = "auto";
  const dataset = await loadDataset(recipe.data);
  const architecture = recipeArchitecture(recipe, dataset.classes.length);
  return trainingPictures(recipe, { dataset, architecture, out: join(dir, name), ...options });
}

const BATCHES = Array.from({ length: 8 }, (_, i) => `batch-${i + 1}.jpg`);

test("the first batches are written as pictures that can be opened, and a second time in their place", async () => {
  for (let time = 0; time < 2; time++) {
    const report = await write({ name: "batches" });
    expect(report).toEqual({ folder: join(dir, "batches"), batches: 2, images: 8, transforms: null });
    expect((await readdir(join(dir, "batches"))).sort()).toEqual([...BATCHES, "pictures.json"].sort());
  }
  const { width, height, format } = await sharp(join(dir, "batches", "batch-1.jpg")).metadata();
  expect([format, width]).toEqual(["jpeg", height]);
});

test("each augmentation is shown by itself, with its time; what an earlier time wrote goes", async () => {
  const { transforms } = await write({ name: "alone", transforms: true });
  const names = transforms!.map(({ name }) => name);
  expect(names).toContain("horizontal_flip");
  for (const { milliseconds } of transforms!) expect(milliseconds === null || milliseconds >= 0).toBe(true);
  const files = names.flatMap((name) => [1, 2, 3, 4].map((i) => `alone-${name}-${i}.jpg`));
  expect((await readdir(join(dir, "alone"))).sort()).toEqual([...BATCHES, ...files, "pictures.json"].sort());
  const list = JSON.parse(await readFile(join(dir, "alone", "pictures.json"), "utf8"));
  expect(list.transforms).toEqual(transforms);
  await write({ name: "alone" });
  expect((await readdir(join(dir, "alone"))).sort()).toEqual([...BATCHES, "pictures.json"].sort());
});

test("a folder with files of others is left as it is", async () => {
  const folder = join(dir, "others");
  for (const files of [{ "notes.txt": "mine" }, { "pictures.json": "{}", "batch-1.jpg": "mine" }, { "pictures.json": '{"format":1,"files":["../data"]}', data: "mine" }]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await expect(write({ name: "others" })).rejects.toThrow(/holds files that no check wrote, such as/);
    expect((await readdir(folder)).sort()).toEqual(Object.keys(files).sort());
    for (const [name, text] of Object.entries(files)) expect(await readFile(join(folder, name), "utf8")).toBe(text);
  } // biome-ignore format: one line
  await write({ name: "grown" });
  await writeFile(join(dir, "grown", "mine.jpg"), "mine");
  await expect(write({ name: "grown" })).rejects.toThrow("such as mine.jpg");
  expect(await readFile(join(dir, "grown", "mine.jpg"), "utf8")).toBe("mine");
  await writeFile(join(dir, "file"), "");
  await expect(write({ name: "file" })).rejects.toThrow(/cannot write|is a file/);
});
