// Plants faults in the labels of a data set, trains on the faulty labels, reviews them with what came of it, and says how many of the faults are
// found; then puts the found ones right, trains again, and shows the AP of clean, faulty and corrected labels on clean validation images.
// Usage: npm run bench:labels -- [--set shapes] [--seed 1] [--share 0.05] [--cross-fit] [--rank-only] [--work .cache/planted]
//   --set trees: datasets/trees, one class. shapes: 800 drawn scenes of eight classes that the weights mini-shapes have not seen.
//   --cross-fit: each half of the images is also reviewed by a model that was trained on the other half.
//   --weights W: review with these instead of weights trained on the faulty labels.
// What is there in the folder --work is not made again, so it may be stopped and started at any time.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeDataset } from "../../src/convert/convertDataset.ts";
import { loadDataset } from "../../src/data/dataset/dataset.ts";
import type { Sample, Split } from "../../src/data/dataset/sample.ts";
import type { SuspectRecord, SuspectsRecord } from "../../src/report/suspects/suspectsRecord.ts";
import { correctLabels } from "../../src/review/correct.ts";
import { reviewLabels } from "../../src/review/review.ts";
import { faultOf, judgedRows, rowsByScore } from "./planted/judge.ts";
import { type Fault, plantFaults } from "./planted/plant.ts";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

const { values } = parseArgs({
  options: {
    set: { type: "string", default: "shapes" },
    seed: { type: "string", default: "1" },
    share: { type: "string", default: "0.05" },
    weights: { type: "string" },
    "cross-fit": { type: "boolean", default: false },
    "rank-only": { type: "boolean", default: false },
    work: { type: "string", default: here("../../.cache/planted") },
  },
});

/** What is trained, on two cores in some minutes: mini from mini-shapes, all weights at one rate. */
const TRAINED = {
  shapes: { resolution: 128, epochs: 8, batch: 8 },
  trees: { resolution: 192, epochs: 32, batch: 4 },
};
const set = values.set as keyof typeof TRAINED;
if (!TRAINED[set]) throw new Error(`--set is ${set}; it must be shapes or trees`);
const root = values.work!;
const work = join(root, `${set}-${values.seed}-${values.share}`);
const folder = (name: string) => join(work, name);

console.log(
  `${set}, seed ${values.seed}, ${values.share} of the labels in each way; ${availableParallelism()} cores of ${cpus()[0]?.model}`,
);
const { faults, names } = await makeFaulty();
if (values["cross-fit"]) await crossFit();
const suspects = await review("faulty", values.weights ?? train("faulty"));
show(
  values.weights ? `reviewed by ${values.weights}` : "reviewed by a model of the faulty labels themselves",
  suspects,
);
if (!values["rank-only"]) await retrain();

/** The data set with faults, and without; labels have no masks, which would say where an object is. */
async function makeFaulty() {
  const source = set === "trees" ? here("../../datasets/trees") : drawScenes();
  const { classes, splits } = await loadDataset({ dir: source });
  const plain = splits.train!.samples.map((sample): Sample => ({ ...sample, annotations: sample.annotations.map(({ mask: _, ...one }) => one) })); // biome-ignore format: one line
  const { samples, faults } = plantFaults(plain, { classes, share: Number(values.share), seed: Number(values.seed) });
  const write = async (name: string, train: Sample[]) => {
    if (existsSync(folder(name))) return;
    const data = { classes, splits: { train: { ...splits.train!, samples: train } satisfies Split, val: splits.val! } };
    await writeDataset(data, { to: "coco", out: folder(name) });
  };
  await write("clean", plain);
  await write("faulty", samples);
  for (const half of [0, 1] as const) if (values["cross-fit"]) await write(`without-${half}`, samples.filter((_, i) => i % 2 !== half)); // biome-ignore format: one line
  return { faults, names: new Map(classes.map(({ label, name }) => [label, name])) };
}

/** Scenes of seeds that the weights were not trained on. */
function drawScenes(): string {
  const out = join(root, "scenes");
  if (!existsSync(join(out, "valid", "_annotations.coco.json")))
    spawn(["--import", "tsx", here("../make-shapes-dataset.ts"), out, "800", "300", "3"]);
  return out;
}

function spawn(words: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`exit code ${status}\n${stderr}`);
}

/** A run on one of the data sets of the work folder. */
function train(name: string): string {
  const run = folder(`run-${name}`);
  const { resolution, epochs, batch } = TRAINED[set];
  const keys = {
    ...{ "model.variant": "mini", "model.resolution": resolution, "data.batch_size": batch, "train.epochs": epochs },
    ...{ "train.lr": 5e-4, "train.lr_encoder": 5e-4, "eval.every_epochs": epochs / 4, "export.onnx": false },
  };
  const recipe = here("../../recipes/mini-shapes.yaml");
  const given = Object.entries({ ...keys, weights: "mini-shapes", "data.dir": folder(name) });
  const words = ["--recipe", recipe, "--run", run, ...given.flatMap(([key, value]) => ["--set", `${key}=${value}`])];
  if (!existsSync(join(run, "report.html"))) spawn(["--import", "tsx", here("../../src/cli/main.ts"), ...words]);
  return run;
}

async function review(name: string, weights: string): Promise<SuspectRecord[]> {
  const out = folder(`review-${name}`);
  const path = join(out, "suspects.json");
  if (!existsSync(path)) await reviewLabels({ weights, data: { dir: folder("faulty") }, out, batchSize: 8 });
  return (JSON.parse(readFileSync(path, "utf8")) as SuspectsRecord).suspects;
}

/** Each half of the images by the model that has not seen it. */
async function crossFit(): Promise<void> {
  const { splits } = await loadDataset({ dir: folder("faulty") });
  const half = new Map(splits.train!.samples.map(({ imageId }, i) => [imageId, i % 2]));
  const parts = [];
  for (const part of [0, 1]) {
    const all = await review(`without-${part}`, train(`without-${part}`));
    parts.push(...all.filter(({ image_id }) => half.get(image_id) === part));
  }
  show("reviewed by models of the other half of the faulty labels", parts.sort((a, b) => b.score - a.score)); // biome-ignore format: one line
}

function show(title: string, list: readonly SuspectRecord[]): void {
  console.log(`\n${title}`);
  for (const [head, ...rows] of [judgedRows(list, faults), rowsByScore(list, faults)]) {
    console.log(`\n| ${head!.join(" | ")} |\n|${head!.map(() => "---|").join("")}`);
    for (const row of rows) console.log(`| ${row.join(" | ")} |`);
  }
}

/** What a person decides who knows the faults, and the class of an object that the detector took for another. */
function accepted(suspect: SuspectRecord, fault: Fault | null): SuspectRecord {
  const { kind, found } = suspect;
  if (!fault) return { ...suspect, decision: "reject" };
  const name = names.get(fault.was.label)!;
  return { ...suspect, decision: "accept", ...((kind === "missing" || kind === "class") && { found: { ...found!, class: name } }) }; // biome-ignore format: one line
}

/** All suspects that name a fault are put right. */
async function retrain(): Promise<void> {
  const record = JSON.parse(readFileSync(folder("review-faulty/suspects.json"), "utf8")) as SuspectsRecord;
  const decided = record.suspects.map((one) => accepted(one, faultOf(one, faults)));
  const decisions = folder("decisions.json");
  writeFileSync(decisions, JSON.stringify({ ...record, suspects: decided }));
  if (!existsSync(folder("corrected")))
    await correctLabels({ data: { dir: folder("faulty") }, decisions, out: folder("corrected") });
  console.log("\n| labels | AP50:95 | AP50 |\n|---|---|---|");
  for (const name of ["clean", "faulty", "corrected"]) {
    const rows = readFileSync(join(train(name), "metrics.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: one line
    const last = rows.filter(({ split }) => split === "val").at(-1);
    console.log(`| ${name} | ${last["AP50:95"].toFixed(3)} | ${last.AP50.toFixed(3)} |`);
  }
}
