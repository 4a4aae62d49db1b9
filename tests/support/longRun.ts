// The folder of a run that was never trained: rows, log and evaluation as a long one leaves them, for tests of what shows runs.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { Annotation, ClassEntry, Sample } from "../../src/data/dataset/sample.ts";
import { cocoAp } from "../../src/eval/cocoAp.ts";
import { type Evaluation, evaluateModel } from "../../src/eval/evaluate.ts";
import { bestOf, f1Sweep } from "../../src/eval/f1.ts";
import type { RecipeInput } from "../../src/recipe/input.ts";
import { formatRecipe, resolveRecipe } from "../../src/recipe/load.ts";
import type { Recipe } from "../../src/recipe/schema.ts";
import type { MetricsRow, TrainRow, ValRow } from "../../src/run/events.ts";
import { BEGINNING } from "../../src/train/progress.ts";
import { recordEvaluation } from "../../src/train/record/evaluationRecord.ts";
import { recordFixed } from "../../src/train/seen/fixedPictures.ts";
import { type Rng, rngFromSeed } from "../../src/util/random/rng.ts";

export type LongRunOptions = {
  epochs?: number;
  stepsPerEpoch?: number;
  classes?: readonly string[];
  /** Images with pictures; more of them make the page larger. */
  images?: number;
  seed?: number;
  recipe?: Partial<RecipeInput>;
};

/** Evaluations that have found something in the fixed pictures. */
const EVALUATIONS = 5;

const BIRDS = ["heron", "stork", "crane", "egret", "spoonbill", "ibis", "flamingo", "pelican", "cormorant", "gannet"];

/** Write the folder of a run of many epochs. */
export async function writeLongRun(
  dir: string,
  {
    epochs = 100,
    stepsPerEpoch = 120,
    classes = BIRDS,
    images = 16,
    seed = 5,
    recipe: changes = {},
  }: LongRunOptions = {},
): Promise<void> {
  const rng = rngFromSeed(seed);
  const recipe = resolveRecipe({
    name: "long",
    model: { variant: "nano" },
    data: { dir: "datasets/birds" },
    ...changes,
    train: {
      epochs,
      stages:
        epochs < 8
          ? null
          : [
              { from_epoch: 0, train: ["heads"] },
              { from_epoch: Math.ceil(epochs / 8), train: ["heads", "decoder", "projector"], lr_factor: 0.8 },
              { from_epoch: Math.ceil(epochs / 3), train: ["all"], lr_factor: 0.5 },
            ],
      ...changes.train,
    },
  });
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "recipe.yaml"), formatRecipe(recipe));
  const rows = rowsOf({ epochs, stepsPerEpoch, classes, rng });
  await writeFile(join(dir, "metrics.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const environment = {
    ...{ rfdetr_train: "0.1.0", node: "20.20.2", platform: "linux-x64 6.1", cpu: { model: "Some CPU", cores: 8 } },
    ...{ memory_bytes: 32e9, git: { commit: "0123456789abcdef0123456789abcdef01234567", changed: false } },
    ...{ started: "2026-03-04T05:06:07.000Z", tfjs: "4.22.0", libtensorflow: "2.21.0", device: "cpu" },
    dataset: { fingerprint: "f".repeat(64) },
  };
  await writeFile(join(dir, "environment.json"), JSON.stringify(environment));
  await writeFile(join(dir, "log.jsonl"), logOf({ epochs, stepsPerEpoch }));
  const last = rows.at(-1) as ValRow;
  const earlier = rows.filter((row) => row.split === "val").slice(-EVALUATIONS, -1);
  await evaluation(dir, recipe, last, { classes, images, rng, earlier });
}

function rowsOf({
  epochs,
  stepsPerEpoch,
  classes,
  rng,
}: {
  epochs: number;
  stepsPerEpoch: number;
  classes: readonly string[];
  rng: Rng;
}): MetricsRow[] {
  const rows: MetricsRow[] = [];
  const noise = (size: number) => 1 + size * (rng.uniform() - 0.5);
  const skill = classes.map(() => 0.3 + 0.5 * rng.uniform());
  for (let step = 1; step <= epochs * stepsPerEpoch; step++) {
    const epoch = Math.floor((step - 1) / stepsPerEpoch);
    const done = step / (epochs * stepsPerEpoch);
    const warm = Math.min(1, step / stepsPerEpoch);
    const factor = warm * (0.05 + 0.475 * (1 + Math.cos(Math.PI * done)));
    if (step % 10 === 0) {
      const terms: Record<string, number> = {};
      for (const [i, suffix] of ["", "_0", "_enc"].entries()) {
        const level = (0.25 + 0.75 * Math.exp(-6 * done)) * (1 + 0.12 * i);
        terms[`loss_ce${suffix}`] = 0.9 * level * noise(0.3);
        terms[`loss_bbox${suffix}`] = 0.25 * level * noise(0.3);
        terms[`loss_giou${suffix}`] = 0.8 * level * noise(0.3);
        terms[`cardinality_error${suffix}`] = 40 * level * noise(0.2);
      }
      const loss = Object.entries(terms).reduce(
        (sum, [name, value]) => sum + (name.startsWith("loss") ? 2 * value : 0),
        0,
      );
      rows.push({
        ...({ step, epoch, split: "train", loss, ...terms } as unknown as TrainRow),
        ...{ class_error: 60 * Math.exp(-3 * done) * noise(0.4), grad_norm: 3 * noise(1.2), lr: 1e-4 * factor },
        lr_encoder: epoch < epochs / 3 ? 0 : 1.5e-4 * factor,
        ...(step % stepsPerEpoch === 0 && { epoch_mean: { steps: stepsPerEpoch, loss: 1.1 * loss } }),
        ...{ images_per_second: 9 * noise(0.3), data_wait: Math.max(0, 0.02 * noise(3)) },
      });
    }
    if (step % stepsPerEpoch !== 0) continue;
    const grown = (1 - Math.exp(-5 * done)) * noise(0.04);
    const per_class = Object.fromEntries(
      classes.map((name, i) => [name, Math.min(1, skill[i]! * grown * noise(0.08))]),
    );
    const mean = Object.values(per_class).reduce((a, b) => a + b, 0) / classes.length;
    const metrics = { "AP50:95": mean, AP50: Math.min(1, 1.4 * mean), AP75: 0.9 * mean, AR: Math.min(1, 1.2 * mean) };
    const val_loss = (4 + 6 * Math.exp(-4 * done)) * noise(0.1);
    const sizes = { APs: 0.6 * mean, APm: mean, APl: Math.min(1, 1.1 * mean) };
    const found = { F1: Math.min(1, 1.2 * mean), precision: Math.min(1, 1.3 * mean), recall: Math.min(1, 1.1 * mean) };
    rows.push({ step, epoch, split: "val", ...metrics, ...sizes, ...found, val_loss, per_class });
  }
  return rows;
}

function logOf({ epochs, stepsPerEpoch }: { epochs: number; stepsPerEpoch: number }): string {
  const at = (minutes: number) => new Date(Date.UTC(2026, 2, 4, 5, 6) + 60_000 * minutes).toISOString();
  const facts = [
    "COCO annotations beside the images, in folders train and valid of datasets/birds",
    "train: 480 images, 2113 boxes",
    "val: 60 images, 246 boxes",
    "Weights: rf-detr-nano, checksum verified",
    "Model: nano at 384 x 384, 30.48 M parameters, trained in 3 stages",
    "Optimizer: AdamW, 4 x 4 accumulated images an update, learning rates 0.0001 and 0.00015 (encoder), cosine schedule",
    "Device: CPU (Some CPU), libtensorflow 2.21.0",
  ];
  const size = { epochs, stepsPerEpoch, totalSteps: epochs * stepsPerEpoch, stepsDone: 0, imagesPerStep: 16 };
  const lines = [
    { level: 30, time: at(0), pid: 1, step: 0, facts, size, msg: "started" },
    {
      level: 30,
      time: at(1),
      pid: 1,
      msg: "Stage 1 of 3 (from_epoch 0): heads; 2.10 M parameters train, 28.38 M are frozen",
    },
    { level: 40, time: at(50), pid: 1, msg: "step 1200 was skipped: the gradient is not finite" },
    { level: 30, time: at(90), pid: 1, step: 2400, msg: "interrupted" },
    { level: 30, time: at(300), pid: 2, step: 2400, facts, size, msg: "resumed" },
    { level: 30, time: at(700), pid: 2, step: epochs * stepsPerEpoch, msg: "done" },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** Details and pictures as the trainer itself writes them, of detections that are mostly right. */
async function evaluation(
  dir: string,
  recipe: Recipe,
  row: ValRow,
  {
    classes,
    images,
    rng,
    earlier,
  }: { classes: readonly string[]; images: number; rng: Rng; earlier: readonly MetricsRow[] },
): Promise<void> {
  const table: ClassEntry[] = classes.map((name, label) => ({ name, label, categoryId: label + 1 }));
  const folder = join(dir, "images");
  await mkdir(folder, { recursive: true });
  const samples: Sample[] = [];
  for (let imageId = 1; imageId <= images; imageId++) {
    const [width, height] = [640, 480];
    const file = `picture ${imageId}.jpg`;
    const path = join(folder, file);
    await sharp(texture(rng, 160, 120), { raw: { width: 160, height: 120, channels: 3 } })
      .resize(width, height)
      .jpeg()
      .toFile(path);
    const annotations = Array.from({ length: 2 + rng.int(6) }, (_, id): Annotation => {
      const label = Math.min(rng.int(table.length), rng.int(table.length)); // the first classes are more common
      const [w, h] = [60 + rng.int(120), 60 + rng.int(120)];
      const [x, y] = [rng.int(width - w), rng.int(height - h)];
      return { id, categoryId: label + 1, label, box: [x, y, x + w, y + h], area: w * h, crowd: false };
    });
    samples.push({ imageId, file, path, width, height, annotations });
  }
  const nothing = (async function* () {})();
  const empty = await evaluateModel({ detect: () => [], batches: nothing, samples, classes: table });
  const detections: Evaluation["detections"] = empty.groundTruths.flatMap(
    ({ imageId, categoryId, bbox: [x, y, w, h] }) => {
      const wobble = () => 14 * (rng.uniform() - 0.5);
      const near = [x + wobble(), y + wobble(), w + wobble(), h + wobble()] as const;
      const other = 1 + rng.int(table.length);
      return [
        ...(rng.uniform() < 0.85
          ? [
              {
                imageId,
                categoryId: rng.uniform() < 0.9 ? categoryId : other,
                bbox: near,
                score: 0.4 + 0.6 * rng.uniform(),
              },
            ]
          : []),
        ...(rng.uniform() < 0.6
          ? [{ imageId, categoryId: other, bbox: [x / 2, y / 2, w, h] as const, score: 0.7 * rng.uniform() }]
          : []),
      ];
    },
  );
  const all = { groundTruths: empty.groundTruths, detections, categories: empty.categories };
  const sweep = f1Sweep(all);
  const result = { ...empty, ...cocoAp(all), ...all, f1: bestOf(sweep), f1Sweep: sweep, images };
  const valSplit = { name: "val" as const, images: folder, annotations: "", samples, reading: {} };
  const run = { dir, valSplit, classes: table, recipe, progress: { ...BEGINNING } };
  await recordEvaluation(run, row, result);
  for (const [i, one] of earlier.entries()) {
    const least = 0.9 - i / 8; // fewer were found then
    await recordFixed(run, one, { ...result, detections: detections.filter(({ score }) => score > least) });
  }
  await recordFixed(run, row, result);
}

/** Rough colours, as heavy for a JPEG as a photograph. */
function texture(rng: Rng, width: number, height: number): Uint8Array {
  const tint = [60 + rng.int(80), 80 + rng.int(80), 50 + rng.int(80)];
  return Uint8Array.from({ length: 3 * width * height }, (_, i) => tint[i % 3]! + rng.int(60));
}
