// Labels of drawn scenes with faults in them, reviewed and corrected by the commands, with the weights that come with the package.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLASSES } from "../scripts/shapes/outlines.ts";
import { drawScene, SIDE } from "../scripts/shapes/scene.ts";
import { loadDataset } from "../src/data/dataset/dataset.ts";
import type { SuspectsRecord } from "../src/report/suspects/suspectsRecord.ts";
import { launch } from "./support/launcher.ts";

let home: string;
/** A label that is missing, and one that is there twice. */
let gone: [number, number, number, number];
let twice: number;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "review-"));
  const images: object[] = [];
  const annotations: { id: number; image_id: number; category_id: number; bbox: typeof gone; area: number }[] = [];
  await mkdir(join(home, "set/train"), { recursive: true });
  for (let id = 0; id < 24; id++) {
    const { pixels, objects } = drawScene(5, id);
    await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } }).toFile(join(home, `set/train/${id}.png`));
    images.push({ id, file_name: `${id}.png`, width: SIDE, height: SIDE });
    for (const { label, box: [x1, y1, x2, y2] } of objects) annotations.push({ id: annotations.length, image_id: id, category_id: label, bbox: [x1, y1, x2 - x1, y2 - y1], area: (x2 - x1) * (y2 - y1) }); // biome-ignore format: one line
  }
  // both are seen well: a ring, and a cross
  const the = (image: number, name: string) => annotations.find(({ image_id, category_id }) => image_id === image && CLASSES[category_id] === name)!; // biome-ignore format: one line
  const [ring, cross] = [the(8, "ring"), the(15, "cross")];
  gone = ring.bbox;
  const [x, y, w, h] = cross.bbox;
  twice = annotations.length;
  const labels = annotations.filter((one) => one !== ring);
  labels.push({ ...cross, id: twice, bbox: [x + 1, y, w, h] });
  const categories = CLASSES.map((name, id) => ({ id, name }));
  await writeFile(
    join(home, "set/train/_annotations.coco.json"),
    JSON.stringify({ images, annotations: labels, categories }),
  );
});
afterAll(() => rm(home, { recursive: true, force: true }));

const run = (...words: string[]) => launch(["data", ...words], { cwd: home });

test("data review finds planted faults and writes its files; data correct writes what was accepted to a copy", async () => {
  const words = ["review", "--weights", "mini-shapes", "--data", "set", "--out", "found", "--device", "cpu"];
  const review = await run(...words);
  expect(review.code).toBe(0);
  expect(review.out).toMatch(/suspects +\d+\nmissing +\d+\nwrong class +\d+\nbadly placed +\d+\ndouble +\d+\n/);
  expect(review.out).toContain("rfdetr-train data correct --data set --decisions decisions.json --out CORRECTED");
  expect(await readFile(join(home, "found/suspects.html"), "utf8")).toContain("data correct --data set");
  const record = JSON.parse(await readFile(join(home, "found/suspects.json"), "utf8")) as SuspectsRecord;
  const { suspects } = record;
  expect(suspects.map(({ score }) => score)).toEqual(suspects.map(({ score }) => score).sort((a, b) => b - a));
  const double = suspects.find(({ kind, label, other }) => kind === "double" && (label!.id === twice || other!.id === twice))!; // biome-ignore format: one line
  const near = (a: readonly number[], b: readonly number[]) => a.every((side, i) => Math.abs(side - b[i]!) < 6);
  const missing = suspects.find(({ kind, found }) => kind === "missing" && near(found!.bbox, gone))!;
  expect([missing.found!.class, missing.id <= 10, double.id <= 10]).toEqual(["ring", true, true]);

  for (const one of [missing, double]) one.decision = "accept";
  await writeFile(join(home, "decisions.json"), JSON.stringify(record));
  const correct = await run("correct", "--data", "set", "--decisions", "decisions.json", "--out", "set2");
  expect(correct).toMatchObject({ code: 0, err: "" });
  expect(correct.out).toContain("1 added, 0 of another class, 0 moved, 1 removed");
  const labels = async (dir: string) => (await loadDataset({ dir: join(home, dir) }, { require: [] })).splits.train!.samples.flatMap(({ annotations }) => annotations); // biome-ignore format: one line
  const [before, after] = [await labels("set"), await labels("set2")];
  expect(after.length).toBe(before.length);
  const ids = new Set(after.map(({ id }) => id));
  expect(before.filter(({ id }) => !ids.has(id)).map(({ id }) => id)).toEqual([double.label!.id]);
});

test("what it lacks, and what there is not, is named", async () => {
  const cases: [string[], string][] = [
    [["review", "--weights", "mini-shapes"], "data review needs either --data or --recipe."],
    [["review", "--weights", "mini-shapes", "--data", "set", "--recipe", "nano"], "data review needs either --data or --recipe, not both."],
    [["review", "--weights", "mini-shapes", "--data", "set", "--split", "test"], "The data set has no images in test"],
    [["correct", "--data", "set", "--decisions", "nothing.json", "--out", "x"], "Cannot read nothing.json"],
    [["correct", "--data", "set", "--decisions", "x", "--out", "x", "--accept-above", "7"], "--accept-above is 7"],
  ]; // biome-ignore format: one line
  for (const [words, said] of cases) {
    const { code, err } = await run(...words);
    expect({ words, code, err }).toEqual({ words, code: 2, err: expect.stringContaining(said) });
  }
});
