// A run on a data set without a val split, whose classes the recipe changes: what it holds back stays held back when it goes on and
// when it is measured, and it is measured by the classes that it learned.

import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { weightsAt } from "../src/checkpoint/weightsFolder.ts";
import { loadBackend } from "../src/engine/backend.ts";
import { evaluate } from "../src/eval/measure.ts";
import { exportOnnx } from "../src/export/exportOnnx.ts";
import { writeRecipe } from "../src/recipe/load.ts";
import type { TrainEvent } from "../src/run/events.ts";
import { checkRecipe } from "../src/train/check.ts";
import { resume, train } from "../src/train/run.ts";
import { factLine } from "../src/util/text/fact.ts";
import { collect, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "held-back-"));
  await tinyDataset(join(dir, "data"));
  await rm(join(dir, "data", "valid"), { recursive: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const splitOf = async (run: string) => JSON.parse(await readFile(join(run, "split.json"), "utf8"));
const saidBy = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "start" ? event.facts.map(factLine) : [])).join("\n");

test("a run holds back, records what, goes on with it, and is evaluated on it with its own classes", async () => {
  const data = join(dir, "data");
  const base = tinyRecipe(data);
  const recipe = {
    ...base,
    data: {
      ...base.data,
      val_fraction: 0.3,
      resample: "balanced" as const,
      near_duplicates: "apart" as const,
      classes: { merge: { thing: ["red", "blue"] } },
    },
  };
  const run = join(dir, "run");
  const first = await collect((options) => train(recipe, { run, ...options }), 2);
  expect(saidBy(first.events)).toMatch(/Validation: 2 of 7 training images are held back/);
  expect(saidBy(first.events)).toMatch(/Classes \(data\.classes\): red, blue are thing/);
  const split = await splitOf(run);
  expect([split.train.length, split.val.length]).toEqual([5, 2]);

  await addImage(data, "new.png");
  const second = await collect((options) => resume(run, options));
  expect(second.end).toMatchObject({ status: "done" });
  const notices = second.events.flatMap((event) => (event.type === "notice" ? [event.message] : [])).join("\n");
  expect(notices).toMatch(/The run has shown: 20 images, 0 of them without boxes; boxes of thing \d+ \(each of \d+ /);
  expect(saidBy(second.events)).toMatch(
    /2 of the training images are held back, those that the run has held back from the start/,
  );
  expect(saidBy(second.events)).toMatch(/1 images are new since then/);
  expect(saidBy(second.events)).not.toMatch(/have changed since this run was started/);
  expect(await splitOf(run)).toEqual(split);
  expect(second.rows.find((row) => row.split === "val")!.per_class).toHaveProperty("thing");

  const measured = await evaluate({ weights: run, data, device: "cpu" });
  expect(measured.about.images).toBe(2);
  expect(measured.perClass.map(({ name }) => name)).toEqual(["thing"]);
  expect(measured.facts.join("\n")).toMatch(/2 of the training images are held back/);
  expect(measured.facts.join("\n")).not.toMatch(/Classes are matched/);
  const copy = join(dir, "copy.safetensors"); // outside of the run it knows the classes, but not who was held back
  await copyFile(await weightsAt(run), copy);
  const elsewhere = await evaluate({ weights: copy, data, split: "train", device: "cpu" });
  expect(elsewhere.about.images).toBe(8);
  expect(elsewhere.perClass.map(({ name }) => name)).toEqual(["thing"]);
  const onnx = join(dir, "copy.onnx");
  await exportOnnx({ weights: copy, out: onnx });
  const exported = await evaluate({ weights: onnx, data, split: "train" });
  expect(exported.perClass.map(({ name }) => name)).toEqual(["thing"]);
  expect(exported.facts.join("\n")).not.toMatch(/Classes are matched/);
  const others = await evaluate({ weights: run, data, split: "train", device: "cpu" });
  expect(others.about.images).toBe(5);
});

test("check says what will be held back", async () => {
  const base = tinyRecipe(join(dir, "data"));
  const path = join(dir, "recipe.yaml");
  await writeRecipe(path, { ...base, data: { ...base.data, val_fraction: 0.3, near_duplicates: "apart" } });
  const { data, ok } = await checkRecipe(path);
  expect(ok).toBe(true);
  expect(data.notes.join("\n")).toMatch(/Validation: \d of 8 training images are held back/);
  expect(data.splits.val!.images + data.splits.train!.images).toBe(8);
});

test("a picture in two splits stops a run before it begins, unless the recipe allows it", async () => {
  const data = join(dir, "leaking");
  await tinyDataset(data);
  await copyFile(join(data, "train", "0.png"), join(data, "valid", "0.png"));
  await sameBoxes(data, "0.png");
  const recipe = tinyRecipe(data);
  await expect(collect((options) => train(recipe, { run: join(dir, "leak"), ...options }))).rejects.toMatchObject({
    message: "0.png (val) is the same image as 0.png (train): what is measured there is no longer held out.",
    hint: expect.stringContaining(`rfdetr-train data split --data ${data} --val 0.2`),
  });
  const allowed = { ...recipe, data: { ...recipe.data, allow_leaks: true } };
  const { events } = await collect((options) => train(allowed, { run: join(dir, "leak"), ...options }), 1);
  expect(saidBy(events)).toMatch(/Warning: 0\.png \(val\) is the same image/);
});

async function addImage(data: string, file_name: string): Promise<void> {
  const path = join(data, "train", "_annotations.coco.json");
  const file = JSON.parse(await readFile(path, "utf8"));
  file.images.push({ id: 99, file_name, width: 40, height: 30 });
  await writeFile(path, JSON.stringify(file));
  await sharp({ create: { width: 40, height: 30, channels: 3, background: "green" } }).toFile(
    join(data, "train", file_name),
  );
}

test("labels of a model in train are said and kept with the run; in val a run does not begin", async () => {
  const data = join(dir, "by-model");
  await tinyDataset(data);
  await markAll(join(data, "train", "_annotations.coco.json"));
  const run = join(dir, "by-model-run");
  const { events } = await collect((options) => train(tinyRecipe(data), { run, ...options }), 1);
  expect(saidBy(events)).toMatch(/Labels by a model: 7 images and \d+ boxes of train are labelled by a model .*: w\.pth, sha256 0a/); // biome-ignore format: one line
  const { dataset } = JSON.parse(await readFile(join(run, "environment.json"), "utf8"));
  expect(dataset.labels_by_model).toMatchObject({ images: 7, models: [{ model: "w.pth, sha256 0a" }] });
  await markAll(join(data, "valid", "_annotations.coco.json"));
  await expect(collect((options) => train(tinyRecipe(data), { run: `${run}-2`, ...options }), 1)).rejects.toThrow(/ of val are labelled by a model and not yet seen by a person/); // biome-ignore format: one line
});

/** Give a picture of val the boxes that the one of its name has in train. */
async function sameBoxes(data: string, name: string): Promise<void> {
  const [train, val] = await Promise.all(
    ["train", "valid"].map(async (split) => {
      const path = join(data, split, "_annotations.coco.json");
      const file = JSON.parse(await readFile(path, "utf8"));
      return { path, file, id: file.images.find((one: { file_name: string }) => one.file_name === name).id };
    }),
  );
  const others = val!.file.annotations.filter((one: { image_id: number }) => one.image_id !== val!.id);
  const own = train!.file.annotations.filter((one: { image_id: number }) => one.image_id === train!.id);
  const moved = own.map((one: object, i: number) => ({ ...one, id: 1000 + i, image_id: val!.id }));
  await writeFile(val!.path, JSON.stringify({ ...val!.file, annotations: [...others, ...moved] }));
}

/** Mark all that a COCO file has as made by a model. */
async function markAll(path: string): Promise<void> {
  const file = JSON.parse(await readFile(path, "utf8"));
  for (const key of ["images", "annotations"]) for (const one of file[key]) one.made_by_model = "w.pth, sha256 0a";
  await writeFile(path, JSON.stringify(file));
}
