import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyWeights } from "../../../../tests/support/onnxFile.ts";
import { loadBackend } from "../../../engine/backend.ts";
import { maskRuns } from "../../../instance/masks/maskRuns.ts";
import { encodeRuns, packRuns } from "../../../instance/masks/runs.ts";
import { predictToFolder } from "../predictToFolder.ts";
import { openYoloLabels } from "./yoloLabels.ts";

const NAMES = ["a", "b", "c", "d\nd", "e"];
let folder: string;
let weights: string;
beforeAll(async () => {
  loadBackend();
  folder = await mkdtemp(join(tmpdir(), "yolo-"));
  weights = join(folder, "tiny.safetensors");
  await writeTinyWeights(weights, 11, { classNames: NAMES });
  await mkdir(join(folder, "photos"));
  for (const name of ["x.jpg", "X.jpeg"])
    await copyFile("tests/fixtures/images/photo.jpg", join(folder, "photos", name));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const predict = (out: string) =>
  predictToFolder({
    ...{ weights, device: "cpu", threshold: 0.2, pictures: false, labels: true, out },
    images: [join(folder, "photos")],
  });

test("each image has a file with a line for each object, by parts of the image, and the classes are named", async () => {
  const out = join(folder, "found");
  const report = await predict(out);
  expect(report.labels).toBe(join(out, "labels"));
  expect((await readdir(report.labels!)).sort()).toEqual(["X.txt", "classes.txt", expect.stringMatching(/^made-by-model-/), "x.jpg.txt"]); // biome-ignore format: one line
  expect(await readFile(join(out, "labels", "classes.txt"), "utf8")).toBe("a\nb\nc\nd d\ne\n");
  const [image] = report.images;
  const rows = (await readFile(join(out, "labels", "X.txt"), "utf8")).trimEnd().split("\n");
  expect(rows).toHaveLength(image!.detections.length);
  expect(rows.length).toBeGreaterThan(0);
  for (const [i, row] of rows.entries()) {
    const { bbox, category_name: name } = image!.detections[i]!;
    const [label, x, y, width, height] = row.split(" ").map(Number) as [number, number, number, number, number];
    expect(NAMES[label]).toBe(name);
    const sides = [image!.width, image!.height, image!.width, image!.height];
    const found = [x - width / 2, y - height / 2, width, height].map((value, j) => value * sides[j]!);
    for (const [j, value] of found.entries()) expect(Math.abs(value - bbox[j]!)).toBeLessThan(0.002);
  }
  expect((await predict(out)).labels).toBe(join(out, "labels")); // its own may be written again
});

test("a segmenter's lines are polygons that draw its masks again, at least three corners each; an empty mask has its box", async () => {
  const out = join(folder, "polygons");
  const labels = openYoloLabels(out, { results: join(out, "predictions.json") });
  const [width, height] = [37, 23];
  const masks = [
    (x: number, y: number) => Math.hypot(x - 20, y - 9) < 8,
    (x: number, y: number) => x === 36 && y === 22,
    (x: number, y: number) => x >= 30 && y < 2,
    () => false,
  ].map((inside) => {
    const pixels = Array.from({ length: width * height }, (_, i) => Number(inside(i % width, Math.floor(i / width))));
    return packRuns(encodeRuns(pixels, [height, width]));
  });
  const objects = masks.map((counts, label) => {
    const mask = { size: [height, width] as [number, number], counts };
    return {
      box: [1, 2, 5, 9] as [number, number, number, number],
      score: 0.9,
      label,
      categoryId: label,
      name: "a",
      mask,
    };
  });
  const image = { data: new Uint8Array(3 * width * height), width, height };
  await labels.write({ imageId: 1, file: "a.jpg", image, objects, below: 0 }, "a.jpg");
  const rows = (await readFile(join(out, "labels", "a.txt"), "utf8")).trimEnd().split("\n");
  const polygons = rows.map((row) =>
    row
      .split(" ")
      .slice(1)
      .map((part, i) => Number(part) * (i % 2 ? height : width)),
  );
  expect(rows.map((row) => Number(row.split(" ")[0]))).toEqual([0, 1, 2, 3]);
  for (const [i, counts] of masks.slice(0, 3).entries()) {
    expect(polygons[i]!.length).toBeGreaterThanOrEqual(6);
    const again = maskRuns({ polygons: [polygons[i]!] }, { size: [height, width], rule: "pillow", where: "a.txt" });
    expect(packRuns(again)).toBe(counts);
  }
  for (const [i, value] of [1, 2, 5, 2, 5, 9, 1, 9].entries()) expect(polygons[3]![i]).toBeCloseTo(value, 3);
});

test("labels that somebody else made stay as they are", async () => {
  const out = join(folder, "dataset");
  await mkdir(join(out, "labels"), { recursive: true });
  await writeFile(join(out, "labels", "x.txt"), "mine");
  await expect(predict(out)).rejects.toThrow(`${join(out, "labels")} is there already`);
  expect(await readdir(out)).toEqual(["labels"]);
  expect(await readFile(join(out, "labels", "x.txt"), "utf8")).toBe("mine");
});
