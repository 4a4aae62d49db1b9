// The files that are right, of every kind of input: those that are changed.

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { markFile } from "../../src/data/dataset/byModel/markFiles.ts";
import { createGraph } from "../../src/export/graph/graph.ts";
import { loadAsItIs, reviewFingerprint } from "../../src/review/source.ts";
import { MATCHES_FILE, packMatches } from "../../src/run/records/matches.ts";
import { toBytes } from "../../src/util/protobuf.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";
import { FAKE_FORMATS, randomSet } from "../../tests/support/datasetFormats.ts";
import { MEMORY, TIME, writeHuge } from "../../tests/support/hugeOnnx.ts";
import { zipOf } from "../../tests/support/zipFile.ts";

/** Links stay as they are: made absolute, they would lead back to the files that are right. */
export const LINKS = { recursive: true, verbatimSymlinks: true };
const FORMATS = ["jpg", "png", "webp", "tiff", "gif", "avif"];
const BITMAPS = ["b16", "b32top", "bit1", "p4", "p8", "rgb24"];
const IDS = [1, 2, 3];
/** Kinds that are the folder, or the zip file, of a data set. */
export const DATA_SETS = ["yolo", "lists", "voc", "labelme", "createml", "csv", "zip", "darknet"];
const FOLDERS = [
  "weights",
  "recipe",
  "onnx",
  "image",
  "results",
  "coco",
  "large",
  "huge",
  "decisions/set/train",
  "workers",
];

const picture = (side) => sharp({ create: { width: side, height: 24, channels: 3, background: "#284" } });

/** Make them below `home`, a folder each, from those of `root`, the project. */
export async function makeSeeds(home, root) {
  for (const folder of [...FOLDERS, "yolo/images", "yolo/labels", "lists/images", "lists/labels"])
    mkdirSync(join(home, folder), { recursive: true });
  makeRun(home, join(root, "tests/fixtures/run-folder/finished"));
  for (const name of ["best.pth", "deflated.pth", "descriptors.pth"])
    cpSync(join(root, "tests/fixtures/checkpoint", name), join(home, "weights", name));
  for (const name of readdirSync(join(root, "recipes")).filter((one) => /\.ya?ml$/.test(one)))
    cpSync(join(root, "recipes", name), join(home, "recipe", name));
  for (const format of FORMATS) await picture(32).toFile(join(home, "image", `a.${format}`));
  await picture(32)
    .withMetadata({ orientation: 6 })
    .toFile(join(home, "image", "turned.jpg"));
  for (const name of BITMAPS)
    cpSync(join(root, "tests/fixtures/bmp", `${name}.bmp`), join(home, "image", `${name}.bmp`));
  for (const folder of ["coco", "large", "yolo/images", "lists/images"])
    for (const id of IDS) await picture(30 + id).toFile(join(home, folder, `${id}.png`));
  makeAnnotations(home);
  await makeDecisions(home);
  makeYolo(home);
  makeDarknet(home);
  makeWorkers(join(home, "workers"));
  await makeOfTools(home);
  makeOnnx(join(home, "onnx"));
  for (const [name, work] of Object.entries({ ...MEMORY, ...TIME }))
    await writeHuge(join(home, "huge", `${name}.onnx`), work, name.length % 2 ? 1 : "n");
}

/** A run that has ended, with the locks of a process that has died, and one of its checkpoints alone. */
function makeRun(home, run) {
  cpSync(run, join(home, "run"), LINKS);
  const numbers = { image: Uint32Array.of(0, 1, 1), matched: Uint16Array.of(1023, 3, 0), ignored: Uint16Array.of(0, 0, 1) }; // biome-ignore format: one line
  const objects = { image: Uint32Array.of(0, 1), count: Uint32Array.of(1, 2) };
  const kinds = [{ prefix: "", classes: [{ name: "tree", objects, ...numbers }] }];
  for (const step of readdirSync(join(home, "run/evaluation")))
    writeFileSync(join(home, "run/evaluation", step, MATCHES_FILE), packMatches({ images: ["1.png", "2.png"], kinds }));
  const holder = JSON.stringify({ pid: 2 ** 22 + 1, began: "1", host: hostname() });
  for (const name of ["run.lock", "wandb/sending.json"]) writeFileSync(join(home, "run", name), holder);
  cpSync(join(run, "checkpoints/0002-00000015"), join(home, "checkpoint"), LINKS);
  cpSync(join(run, "model.onnx"), join(home, "onnx/model.onnx"));
  cpSync(join(run, "checkpoints/0002-00000015/model.safetensors"), join(home, "weights/model.safetensors"));
}

function makeAnnotations(home) {
  const images = IDS.map((id) => ({ id, file_name: `${id}.png`, width: 30 + id, height: 24 }));
  const annotations = images.flatMap(({ id }) => [
    { id: 2 * id, image_id: id, category_id: 1, bbox: [1, 2, 10, 12], area: 120, iscrowd: 0 },
    { id: 2 * id + 1, image_id: id, category_id: 2, bbox: [5, 5, 9, 9], segmentation: [[5, 5, 14, 5, 14, 14]] },
  ]);
  const categories = [1, 2].map((id) => ({ id, name: `class ${id}`, supercategory: "none" }));
  const write = (folder, content) => writeFileSync(join(home, folder, "annotations.json"), JSON.stringify(content));
  for (const folder of ["coco", "results"]) write(folder, { images, annotations, categories });
  const polygon = Array.from({ length: 3000 }, (_, i) => 1 + (i % 20));
  const many = Array.from({ length: 600 }, (_, i) => ({
    ...{ id: i + 1, image_id: 1 + (i % 3), category_id: 1 + (i % 2), bbox: [1, 2, 10, 12], area: 120, iscrowd: 0 },
    segmentation: [polygon],
  }));
  write("large", { images, annotations: many, categories }); // longer than what is held of a file at a time
  const results = annotations.map(({ image_id, category_id, bbox }, i) => ({
    ...{ image_id, category_id, bbox, score: 0.9 - i / 20 },
  }));
  writeFileSync(join(home, "results/results.json"), JSON.stringify(results));
}

/** A data set, and what was decided of its labels. */
async function makeDecisions(home) {
  const dir = join(home, "decisions/set");
  for (const id of IDS) cpSync(join(home, "coco", `${id}.png`), join(dir, "train", `${id}.png`));
  cpSync(join(home, "coco/annotations.json"), join(dir, "train/_annotations.coco.json"));
  const fingerprint = await reviewFingerprint(await loadAsItIs({ dir }));
  const label = (index) => ({ index, id: 2 + index, class: "class 1", bbox: [1, 2, 10, 12] });
  const found = { class: "class 2", bbox: [2, 3, 8, 9], score: 0.9, segmentation: [[2, 3, 10, 3, 10, 12]] };
  const all = [{ kind: "missing", found }, { kind: "class", label: label(0), found }, { kind: "place", label: label(1), found }, { kind: "double", label: label(1), other: label(0) }]; // biome-ignore format: one line
  const suspects = all.map((one, i) => ({ id: i + 1, score: 0.5, split: "train", image_id: 1, file_name: "1.png", decision: "accept", ...one })); // biome-ignore format: one line
  const made = { weights: "w", sha256: "0", program: "p", date: "d" };
  const record = { format: 1, made, data: { description: "d", fingerprint }, suspects };
  writeFileSync(join(home, "decisions/decisions.json"), JSON.stringify(record));
}

/** Images by folder, and by lists of files. */
function makeYolo(home) {
  const end = "nc: 2\nnames:\n  0: tree\n  1: shrub\n";
  writeFileSync(join(home, "yolo/data.yaml"), `train: images\nval: images\n${end}`);
  writeFileSync(join(home, "lists/data.yaml"), `path: .\ntrain: [train.txt, images]\nval: val.txt\n${end}`);
  writeFileSync(join(home, "lists/train.txt"), IDS.map((id) => `./images/${id}.png\n`).join(""));
  writeFileSync(join(home, "lists/val.txt"), "images/1.png\r\nimages\\2.png\r\n");
  for (const folder of ["yolo", "lists"])
    for (const id of IDS)
      writeFileSync(
        join(home, folder, "labels", `${id}.txt`),
        "0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n",
      );
}

/** A data set as CVAT exports it for Darknet, some of whose labels a model made. */
function makeDarknet(home) {
  const dir = join(home, "darknet");
  const mark = { model: "m", about: { weights: "w", sha256: "0", date: "d" } };
  for (const [split, ids] of Object.entries({ train: [1, 2], valid: [3] })) {
    const folder = `obj_${split}_data`;
    mkdirSync(join(dir, folder), { recursive: true });
    for (const id of ids) {
      cpSync(join(home, "coco", `${id}.png`), join(dir, folder, `${id}.png`));
      writeFileSync(join(dir, folder, `${id}.txt`), "0 0.5 0.5 0.2 0.3\n1 0.3 0.4 0.2 0.2\n");
    }
    const { name, text } = markFile([{ file: `${ids[0]}.txt`, mark, scores: [0.9, undefined] }]);
    if (split === "train") writeFileSync(join(dir, folder, name), text);
    writeFileSync(join(dir, `${split}.txt`), ids.map((id) => `data/${folder}/${id}.png\n`).join(""));
  }
  writeFileSync(join(dir, "obj.names"), "tree\nshrub\n");
  writeFileSync(
    join(dir, "obj.data"),
    "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n",
  );
}

/** What a training operator and Slurm say of the workers of a job. */
function makeWorkers(dir) {
  const cluster = { chief: ["c0:2222"], worker: ["w0:2222", "[fd00::7]:2223"] };
  writeFileSync(join(dir, "tf-config.json"), JSON.stringify({ cluster, task: { type: "worker", index: 1 } }));
  const variables = {
    ...{ SLURM_JOB_ID: "12345", SLURM_STEP_ID: "0", SLURM_PROCID: "7" },
    ...{ SLURM_STEP_NODELIST: "gpu[08-10,12],login1", SLURM_STEP_TASKS_PER_NODE: "2(x3),1,2" },
  };
  writeFileSync(join(dir, "slurm.env"), Object.entries(variables).map((one) => one.join("=")).join("\n")); // biome-ignore format: one line
}

/** A set of each layout that tools have, and one in a zip file. */
async function makeOfTools(home) {
  const random = rngFromSeed(4);
  const layouts = {
    ...{ voc: "the VOC devkit", labelme: "LabelMe", createml: "CreateML", csv: "TensorFlow's CSV" },
    packed: "Roboflow's VOC",
  };
  for (const [kind, layout] of Object.entries(layouts)) {
    const set = randomSet(random, { only: ["train", "val"] });
    await FAKE_FORMATS[layout].put(join(home, kind), set);
  }
  const names = readdirSync(join(home, "packed"), { recursive: true }).filter((name) => /\.\w+$/.test(name));
  const entries = names.map((name) => ({ name, data: readFileSync(join(home, "packed", name)) }));
  mkdirSync(join(home, "zip"));
  writeFileSync(join(home, "zip/export.zip"), zipOf(entries));
}

/** Files of other programs: the ports of a detector, with what a detector gives and with something else behind them. */
function makeOnnx(folder) {
  const shapes = {
    right: { dets: [1, 48, 4], labels: [1, 64, 3] },
    fewer: { dets: [1, 24, 8], labels: [1, 64, 3] },
    turned: { dets: [4, 48, 1], labels: [3, 64, 1] },
    narrow: { dets: [1, 48, 4], labels: [1, 48, 4] },
  };
  for (const [name, outputs] of Object.entries(shapes)) {
    const graph = createGraph({ opset: 18, floats: "float32" });
    const x = graph.input("input", "float32", [1, 3, 8, 8]);
    for (const [port, shape] of Object.entries(outputs))
      graph.output(graph.op("Reshape", [x, graph.ints(...shape)]), port, "float32", ["a", "b", "c"]);
    writeFileSync(join(folder, `${name}.onnx`), toBytes(graph.encode({ name: "test", version: "0", metadata: {} })));
  }
}
