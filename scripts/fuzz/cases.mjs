// What is fuzzed: for each kind of input, files that are right, which of them is changed, and what reads them.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { convertWeights } from "../../src/checkpoint/convert.ts";
import { loadCheckpoint } from "../../src/checkpoint/store/store.ts";
import { readWeightsFile } from "../../src/checkpoint/weightsFile.ts";
import { scanDataset } from "../../src/data/dataset/check/scan.ts";
import { loadDataset } from "../../src/data/dataset/dataset.ts";
import { decodeFile, imageHeader } from "../../src/data/image/decode.ts";
import { architectureIn } from "../../src/detector/fileArchitecture.ts";
import { openOnnxDetector } from "../../src/detector/onnx.ts";
import { evaluateResults } from "../../src/eval/measure.ts";
import { refuseLoops } from "../../src/onnx/endless.ts";
import { readOnnxFacts } from "../../src/onnx/facts.ts";
import { fromMetadata } from "../../src/onnx/metadata.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { comparePage } from "../../src/report/comparePage.ts";
import { compareRuns } from "../../src/report/comparison.ts";
import { writeReport } from "../../src/report/writeReport.ts";
import { resultsCsv } from "../../src/run/records/resultsCsv.ts";
import { readRunFolder } from "../../src/run/runFolder.ts";
import { writeWandbFile } from "../../src/track/wandb/file/file.ts";
import { mutate, oneOf } from "./mutate.mjs";

/** Links stay as they are: made absolute, they would lead back to the files that are right. */
const LINKS = { recursive: true, verbatimSymlinks: true };
const FORMATS = ["jpg", "png", "webp", "tiff", "gif", "avif"];

/** Make the files that are right below `home`, from those of `root`, the project. */
export async function makeSeeds(home, root) {
  const run = join(root, "tests/fixtures/run-folder/finished");
  const picture = (side) => sharp({ create: { width: side, height: 24, channels: 3, background: "#284" } });
  for (const folder of ["weights", "recipe", "onnx", "image", "results", "coco", "yolo/images", "yolo/labels"])
    mkdirSync(join(home, folder), { recursive: true });
  cpSync(run, join(home, "run"), LINKS);
  cpSync(join(run, "checkpoints/0002-00000015"), join(home, "checkpoint"), LINKS);
  cpSync(join(run, "model.onnx"), join(home, "onnx/model.onnx"));
  cpSync(join(run, "checkpoints/0002-00000015/model.safetensors"), join(home, "weights/model.safetensors"));
  for (const name of ["best.pth", "deflated.pth", "descriptors.pth"])
    cpSync(join(root, "tests/fixtures/checkpoint", name), join(home, "weights", name));
  for (const name of readdirSync(join(root, "recipes")).filter((one) => /\.ya?ml$/.test(one)))
    cpSync(join(root, "recipes", name), join(home, "recipe", name));
  for (const format of FORMATS) await picture(32).toFile(join(home, "image", `a.${format}`));
  const images = [1, 2, 3].map((id) => ({ id, file_name: `${id}.png`, width: 30 + id, height: 24 }));
  const annotations = images.flatMap(({ id }) => [
    { id: 2 * id, image_id: id, category_id: 1, bbox: [1, 2, 10, 12], area: 120, iscrowd: 0 },
    { id: 2 * id + 1, image_id: id, category_id: 2, bbox: [5, 5, 9, 9], segmentation: [[5, 5, 14, 5, 14, 14]] },
  ]);
  const categories = [1, 2].map((id) => ({ id, name: `class ${id}`, supercategory: "none" }));
  for (const { id } of images)
    for (const folder of ["coco", "yolo/images"]) await picture(30 + id).toFile(join(home, folder, `${id}.png`));
  for (const folder of ["coco", "results"])
    writeFileSync(join(home, folder, "annotations.json"), JSON.stringify({ images, annotations, categories }));
  const results = annotations.map(({ image_id, category_id, bbox }, i) => ({
    image_id,
    category_id,
    bbox,
    score: 0.9 - i / 20,
  }));
  writeFileSync(join(home, "results/results.json"), JSON.stringify(results));
  writeFileSync(join(home, "yolo/data.yaml"), "train: images\nval: images\nnc: 2\nnames:\n  0: tree\n  1: shrub\n");
  for (const { id } of images)
    writeFileSync(join(home, "yolo/labels", `${id}.txt`), "0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n");
}

const WEIGHTS = { coco: 3, yolo: 2, recipe: 3, run: 5, checkpoint: 2, weights: 4, onnx: 3, image: 3, results: 2 };
const KINDS = Object.entries(WEIGHTS).flatMap(([kind, count]) => Array(count).fill(kind));

/** Copy the files of a kind to `folder`, and change some of them. `command`: the command line that reads them. */
export function makeCase(random, { home, folder }) {
  const kind = oneOf(random, KINDS);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(home, kind), folder, LINKS);
  const files = readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => !/checkpoints.(best|last)./.test(path) && statSync(path).isFile()); // the links name others again
  const single = ["recipe", "weights", "image", "onnx"].includes(kind);
  const changed = kind === "run" ? ofRun(random, folder, files) : [oneOf(random, files)];
  if (!single && random() < 0.2) changed.push(oneOf(random, files));
  const how = [...new Set(changed)].map((path) => `${mutate(random, path)} ${path.slice(folder.length + 1)}`);
  if (kind === "checkpoint" && random() < 0.7) correctSums(folder);
  const path = single ? changed[0] : folder;
  return { kind, path, how, deep: random() < 0.3, command: commandFor(kind, path) };
}

/** Most readers read the texts of a run's folder; pictures, events and tensors are many files and less of a target. */
function ofRun(random, folder, files) {
  const texts = files.filter((path) => /\.(json|jsonl|yaml)$/.test(path));
  return random() < 0.85
    ? [
        oneOf(
          random,
          texts.filter((path) => !path.includes(join(folder, "checkpoints"))),
        ),
      ]
    : [oneOf(random, files)];
}

/** Let the manifest say the sums of the changed files, so that what is behind the sums is reached. */
function correctSums(folder) {
  try {
    const path = join(folder, "manifest.json");
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    for (const name of Object.keys(manifest.files)) {
      if (!statSync(join(folder, name)).isFile() || statSync(join(folder, name)).size > 1e7) continue;
      const bytes = readFileSync(join(folder, name));
      manifest.files[name] = { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
    }
    writeFileSync(path, JSON.stringify(manifest));
  } catch {} // it is the manifest itself that was changed
}

/** Empty: no command reads such a file by itself without an engine. */
function commandFor(kind, path) {
  const check = (...sets) => ["check", "--no-cost", "--recipe", "quickstart", ...sets.flatMap((one) => ["--set", one])];
  if (kind === "recipe") return ["check", "--no-cost", "--recipe", path];
  if (kind === "weights") return ["convert", path, join(path, "..", "out.safetensors"), "--force"];
  if (kind === "run") return ["report", path];
  if (kind === "yolo") return check(`data.dir=${path}`);
  if (kind === "coco") {
    const split = `{ images: ${path}, annotations: ${join(path, "annotations.json")} }`;
    return check("data.dir=null", `data.train=${split}`, `data.val=${split}`);
  }
  if (kind === "results")
    return ["evaluate", "--annotations", join(path, "annotations.json"), "--predictions", join(path, "results.json")];
  return [];
}

/** Read a case as the commands do. Throws what they throw. */
export async function readCase({ kind, path, deep }) {
  if (kind === "recipe") await loadRecipe(path);
  if (kind === "image") await Promise.all([imageHeader(path), decodeFile(path)]);
  if (kind === "checkpoint") await loadCheckpoint(path);
  if (kind === "weights") {
    const file = await readWeightsFile(path);
    await convertWeights(path, join(path, "..", "out.pth"), { force: true });
    architectureIn(file, { path });
  }
  if (kind === "coco" || kind === "yolo") await readData(kind, path);
  if (kind === "results")
    await evaluateResults({ annotations: join(path, "annotations.json"), predictions: join(path, "results.json") });
  if (kind === "run") await readRun(path, deep);
  if (kind === "onnx") await readOnnx(path, deep);
}

async function readData(kind, path) {
  const split = { images: path, annotations: join(path, "annotations.json") };
  const source = { train: split, val: split };
  const dataset = await loadDataset(kind === "yolo" ? { dir: path } : source, { strict: false });
  await scanDataset(dataset, { queries: 5 });
}

async function readRun(path, deep) {
  const run = await readRunFolder(path);
  resultsCsv(run.rows);
  compareRuns(run, run);
  await writeReport(path);
  if (deep) await comparePage(run, run);
  await writeWandbFile({ dir: path, project: "p" });
}

async function readOnnx(path, deep) {
  fromMetadata((await readOnnxFacts(path)).metadata, 5);
  await refuseLoops(path);
  if (!deep) return;
  const detector = await openOnnxDetector(path, { threads: 1 });
  try {
    const side = detector.resolution;
    const count = detector.batch ?? 1;
    const images = new Float32Array(count * side * side * 3);
    await detector.detect({ images, originalSizes: Array(count).fill([side, side]) });
  } finally {
    await detector.close();
  }
}
