import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch } from "../../../../tests/support/launcher.ts";
import { writeTinyWeights } from "../../../../tests/support/onnxFile.ts";
import { loadDataset } from "../../../data/dataset/dataset.ts";
import { encodeRuns, packMask } from "../../../instance/masks/runs.ts";
import { sha256File } from "../../../util/files.ts";
import type { PredictReport } from "../predictToFolder.ts";
import { openLabels } from "./labelSet.ts";
import { uncertainTable, uncertaintyOf } from "./uncertainty.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "labels-"));
  await writeTinyWeights(join(folder, "tiny.safetensors"), 11, {
    classNames: ["a", "b", "c", "d", "e"],
    categoryIds: [10, 20, 30, 40, 50],
  });
  for (const name of ["one", "two"]) {
    await mkdir(join(folder, "photos", name), { recursive: true });
    await copyFile(`tests/fixtures/images/${name === "one" ? "photo" : "rotated"}.jpg`, join(folder, "photos", name, `${name}.jpg`)); // biome-ignore format: one line
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const predict = (...words: string[]) =>
  launch(["predict", "--weights", "tiny.safetensors", "--device", "cpu", "--threshold", "0.4", "--images", "photos", "--no-pictures", ...words], { cwd: folder }); // biome-ignore format: one line

for (const to of ["coco", "yolo", "voc"])
  test(`--labels ${to} writes a data set that says who made it; it trains, is refused in val, and is never written over`, async () => {
    const { code, out } = await predict("--labels", to, "--out", to, "--json");
    const report = JSON.parse(out) as PredictReport;
    expect({ code, labels: report.labels, uncertain: report.uncertain }).toEqual({ code: 0, labels: `${to}/labels`, uncertain: `${to}/uncertain.csv` }); // biome-ignore format: one line
    const dir = join(folder, to, "labels");
    const { splits, classes } = await loadDataset({ dir }, { require: ["train"] });
    const { samples } = splits.train!;
    expect(samples.map(({ file }) => file).sort()).toEqual(["one/one.jpg", "two/two.jpg"]);
    const about = { weights: "tiny.safetensors", sha256: await sha256File(join(folder, "tiny.safetensors")), threshold: 0.4 }; // biome-ignore format: one line
    for (const { file, annotations, byModel } of samples) {
      expect(byModel?.about).toMatchObject(about);
      const image = report.images.find(({ file_name }) => file_name === `photos/${file}`)!;
      const detections = image.detections.filter(({ bbox }) => bbox[2] > 0 && bbox[3] > 0); // others have no area
      expect(annotations.length).toBe(detections.length);
      expect(annotations.length).toBeGreaterThan(0);
      for (const [i, { box, label, score }] of annotations.entries()) {
        const { bbox, category_name, score: expected } = detections[i]!;
        expect([classes[label]!.name, score]).toEqual([category_name, expected]);
        for (const k of [0, 1]) {
          expect(Math.abs(box[k]! - bbox[k]!)).toBeLessThan(2e-3);
          expect(Math.abs(box[k + 2]! - box[k]! - bbox[k + 2]!)).toBeLessThan(4e-3);
        }
      }
    }
    const again = await predict("--labels", to, "--out", to);
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining(`${to}/labels has files in it`) });

    await writeFile(join(folder, "recipe.yaml"), `name: x\nmodel: { variant: nano }\nweights: none\ndata: { dir: ${to}/val }\n`); // biome-ignore format: one line
    await loadedAsVal(to, dir);
    const check = await launch(["check", "--recipe", "recipe.yaml", "--no-cost"], { cwd: folder });
    expect(check).toMatchObject({ code: 2, out: expect.stringContaining("2 images") });
    expect(check.out).toMatch(/2 images and \d+ boxes of val are labelled by a model/);
  });

/** The data set of a call with its pictures in train and in val. */
async function loadedAsVal(to: string, dir: string): Promise<void> {
  const { rename, cp } = await import("node:fs/promises");
  const val = join(folder, to, "val");
  await rename(dir, val);
  if (to === "voc") await cp(join(val, "ImageSets/Main/train.txt"), join(val, "ImageSets/Main/val.txt"));
  else await cp(join(val, "train"), join(val, "valid"), { recursive: true });
}

test("what it prints names the most uncertain pictures, most first, and --labels alone writes label files with the same mark", async () => {
  const { code, out } = await predict("--labels", "--out", "flat");
  expect(code).toBe(0);
  const table = (await readFile(join(folder, "flat/uncertain.csv"), "utf8")).trim().split("\n").slice(1);
  const values = table.map((row) => Number(row.split(",")[1]));
  expect(values).toEqual([...values].sort((a, b) => b - a));
  expect(out).toContain(`Most uncertain: ${table[0]!.split(",")[0]} (${values[0]!.toFixed(2)}), `);
  expect(out).toContain("refused in val and test until a person has seen them");
  const names = await readdir(join(folder, "flat/labels"), { recursive: true });
  const marks = names.filter((name) => /^made-by-model-[0-9a-f]{8}\.json$/.test(name));
  expect(marks).toHaveLength(1);
  const { made_by_model: made } = JSON.parse(await readFile(join(folder, "flat/labels", marks[0]!), "utf8"));
  expect(Object.keys(made[0].files).sort()).toEqual(["one/one.txt", "two/two.txt"]);
  const wrong = await predict("--labels", "labelme", "--out", "wrong");
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('--labels is "labelme"; it must be coco, yolo or voc') }); // biome-ignore format: one line
});

test("masks become run lengths in COCO and outlines in YOLO; VOC has boxes and says so; a picture from elsewhere is refused", async () => {
  const [width, height] = [37, 23];
  const mask = packMask(encodeRuns(Array.from({ length: width * height }, (_, i) => Number(i % width > 4 && i % width < 20 && i > 5 * width)), [height, width])); // biome-ignore format: one line
  const file = join(folder, "blank.png");
  const sharp = (await import("sharp")).default;
  await sharp({ create: { width, height, channels: 3, background: "red" } }).toFile(file);
  const object = { box: [5, 5, 20, 23] as [number, number, number, number], score: 0.9, label: 7, categoryId: 8, name: "x", mask }; // biome-ignore format: one line
  const flat = { ...object, box: [3, 3, 3, 9] as [number, number, number, number] };
  const made = { weights: "w", sha256: "0", program: "p", date: "d", threshold: 0.5 };
  for (const to of ["coco", "yolo", "voc"] as const) {
    const out = join(folder, `masks-${to}`);
    const labels = await openLabels(out, { to, results: join(out, "predictions.json"), images: [file] });
    const image = { width, height, data: new Uint8Array(3 * width * height) };
    await labels.write({ imageId: 1, file, image, objects: [object, flat], below: 0, uncertainty: 1 }, "blank.png");
    const notes = await labels.finish([{ name: "x", label: 7, categoryId: 8 }], made);
    const { splits } = await loadDataset({ dir: labels.folder }, { require: [] });
    const [one, ...others] = splits.train!.samples[0]!.annotations;
    expect(others).toEqual([]); // one without area is left out
    if (to === "coco") expect(one).toMatchObject({ mask, area: 15 * 18, categoryId: 8 });
    if (to === "yolo") expect(one!.mask).toMatchObject({ polygons: [expect.any(Array)] });
    if (to === "voc") expect([one!.mask, notes.join()]).toEqual([undefined, expect.stringContaining("run lengths, which are left out")]); // biome-ignore format: one line
  }
  const stream = openLabels(join(folder, "no"), { to: "coco", results: "", images: ["http://x.org/a.jpg"] });
  await expect(stream).rejects.toThrow(
    "--labels coco writes a data set of picture files, and http://x.org/a.jpg is none.",
  );
});

test("uncertainty is the mean nearness to the threshold, from half of it on, and the table has the most uncertain first", () => {
  expect(uncertaintyOf([], 0.5)).toBe(0);
  expect(uncertaintyOf([0.1, 0.2], 0.5)).toBe(0);
  expect(uncertaintyOf([0.5], 0.5)).toBe(1);
  expect(uncertaintyOf([1, 0.75, 0.25], 0.5)).toBeCloseTo((0 + 0.5 + 0.5) / 3);
  expect(uncertaintyOf([0.9], 0.8)).toBeCloseTo(0.5);
  expect(uncertaintyOf([1, 0], 0)).toBeCloseTo(0.5);
  const image = { detections: [{}], below: 2 };
  const images = [{ ...image, file_name: 'a,"b".jpg', uncertainty: 0.25 }, { ...image, file_name: "c.jpg", uncertainty: 0.5 }]; // biome-ignore format: one line
  expect(uncertainTable(images)).toBe('file_name,uncertainty,objects,objects_below_threshold\nc.jpg,0.5000,1,2\n"a,""b"".jpg",0.2500,1,2\n'); // biome-ignore format: one line
});
