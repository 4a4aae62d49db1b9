import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EvaluationRecord } from "../../run/records/evaluation.ts";
import { UserError } from "../../util/errors.ts";
import { adviseRun, RULES, type RuleName } from "./advice.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "advice-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A run of ten epochs and 500 steps in which nothing is worth a word. */
type Run = {
  /** At the ends of the epochs. */
  training: number[];
  validation: number[];
  scores: number[];
  wait: number;
  recipe: string;
  trainImages: number;
  cost: { steps: number; seconds: number; peakBytes: number };
  memory: number;
  skipped: number;
  perClass: { name: string; annotations: number; ap: number }[];
  promised: [low: number, high: number];
  /** Side of each object in pixels, by picture; pictures are 1280 x 720. */
  objects: number[][];
  /** Precision on the test split, which promises 0.6 to 0.8. */
  tested: number;
};

const falling = (from: number, to: number) => Array.from({ length: 10 }, (_, i) => from + ((to - from) * i) / 9);

const QUIET: Run = {
  training: falling(8, 4),
  validation: falling(8.2, 5),
  scores: [0.1, 0.2, 0.3, 0.35, 0.38, 0.4, 0.41, 0.412, 0.411, 0.412],
  wait: 0.1,
  recipe:
    "model: { variant: nano }\ntrain: { epochs: 10, lr: 0.0001, ema: { decay: 0.9, tau: 10 } }\ndata: { workers: 2 }",
  trainImages: 800,
  cost: { steps: 500, seconds: 1.3, peakBytes: 2e9 },
  memory: 16e9,
  skipped: 0,
  perClass: [
    { name: "oak", annotations: 100, ap: 0.4 },
    { name: "elm", annotations: 80, ap: 0.42 },
  ],
  promised: [0.6, 0.7],
  objects: [[80, 90], [100]],
  tested: 0.7,
};

const lines = (all: readonly object[]) => all.map((one) => `${JSON.stringify(one)}\n`).join("");

async function writeRun(changes: Partial<Run>): Promise<string> {
  const run = { ...QUIET, ...changes };
  const folder = await mkdtemp(join(dir, "run-"));
  const write = (name: string, content: string) => writeFile(join(folder, name), content);
  await write("recipe.yaml", `name: small\n${run.recipe}\n`);
  const rows = run.training.flatMap((loss, epoch) => [
    ...[10, 20, 30, 40, 50].map((i) => {
      const mean = i === 50 && { epoch_mean: { steps: 50, loss } };
      return { step: 50 * epoch + i, epoch, split: "train", loss, data_wait: run.wait, images_per_second: 3, ...mean };
    }),
    {
      ...{ step: 50 * (epoch + 1), epoch, split: "val", "AP50:95": run.scores[epoch], AP50: 0.5, AP75: 0.3, AR: 0.4 },
      ...{ val_loss: run.validation[epoch], per_class: {} },
    },
  ]);
  await write("metrics.jsonl", lines(rows));
  const facts = [{ name: "train", value: `${run.trainImages} images (0 without boxes, 9000 boxes)`, under: "Data" }];
  const time = "2026-03-04T05:06:07.000Z";
  const skipped = Array.from({ length: run.skipped }, (_, i) => ({ level: 40, time, msg: `step ${i} was skipped: no number` })); // biome-ignore format: one line
  const log = [
    { level: 30, time, msg: "started", facts, size: { epochs: 10, stepsPerEpoch: 50, totalSteps: 500 } },
    ...skipped,
    { level: 30, time, msg: "stage cost", stage: 0, ...run.cost },
    { level: 30, time, msg: "done", step: 500 },
  ];
  await write("log.jsonl", lines(log));
  await write("environment.json", JSON.stringify({ cpu: { model: "Some CPU", cores: 8 }, memory_bytes: run.memory }));
  await writeEvaluation(folder, run);
  const [low, high] = [0.6, 0.8];
  const precision = { measured: run.tested, low, high, held: run.tested >= low && run.tested <= high };
  const test = {
    ...{ format: 1, step: 500, epoch: 9, weights: { sha256: "0" }, images: 40, unread: 0, metrics: {}, perClass: [] },
    ...{ operatingPoint: null, measured: { precision: run.tested, recall: null }, evaluations: 1, evaluated: time },
    confirmation: { precision, recall: null },
  };
  await write("evaluation-test.json", JSON.stringify(test));
  return folder;
}

async function writeEvaluation(folder: string, { scores, perClass, promised: [low, high], objects }: Run) {
  const best = scores.indexOf(Math.max(...scores));
  const step = 50 * (best + 1);
  const f1 = { threshold: 0.4, f1: 0.5, precision: 0.5, recall: 0.5 };
  const record: EvaluationRecord = {
    ...{ format: 1, step, epoch: best, images: objects.length, threshold: 0.4, f1, f1Sweep: [f1], pictures: [] },
    confusion: { classes: [], counts: [[0]] },
    precisionRecall: { recalls: [], mean: null, classes: [] },
    metrics: { APs: 0.05 },
    perClass: perClass.map(({ name, annotations, ap }) => {
      return { name, annotations, "AP50:95": ap, AP50: ap, AP75: ap, AR: ap };
    }),
    operatingPoint: {
      ...{ rule: { by: "best-f1", at: null }, reached: true, threshold: 0.4, classes: [], images: 40 },
      ...{ precision: { low, expected: (low + high) / 2, high }, recall: null },
    },
  };
  await writeFile(join(folder, "evaluation-best.json"), JSON.stringify(record));
  const pictures = objects.map((_, imageId) => ({ imageId, image: "a.jpg", width: 1280, height: 720, jpeg: "/9j/AAAA" })); // biome-ignore format: one line
  await writeFile(join(folder, "thumbnails.json"), JSON.stringify({ format: 1, pictures }));
  await mkdir(join(folder, "evaluation", String(step)), { recursive: true });
  const truths = objects.map((sides) => ({ truths: sides.map((side) => [0, 1, 1, side, side]), detections: [] }));
  const found = { format: 1, classes: ["oak", "elm"], floor: 0.05, pictures: truths };
  await writeFile(join(folder, "evaluation", String(step), "objects.json"), JSON.stringify(found));
}

const recipe = (text: string) => ({ recipe: text });

/** A run that triggers each rule, what is said, and one that is nearly so and does not. */
const CASES: Record<RuleName, { triggers: Partial<Run>; said: RegExp; todo: RegExp; not: Partial<Run> }> = {
  "rate too high": {
    triggers: { training: [...falling(8, 4).slice(0, 9), 5] },
    said: /rose from 4\.44 in epoch 9 to 5\.00 in epoch 10, at train\.lr 0\.0001/,
    todo: /train\.lr=0\.00005/,
    not: { training: [...falling(8, 4).slice(0, 9), 4.6] },
  },
  "rate too low": {
    triggers: { training: falling(8, 7.9), ...recipe("train: { lr: 0.000001 }") },
    said: /changed by 1 % in 10 epochs \(8\.00 to 7\.90\), at train\.lr 0\.000001/,
    todo: /train\.lr=0\.0001/,
    not: { training: falling(8, 7.9), ...recipe("train: { lr: 0.0001 }") },
  },
  overfitting: {
    triggers: { validation: [8, 7, 6, 5, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6] },
    said: /rose from 5\.00 after epoch 4 to 5\.60 after epoch 10, while that of training fell from 6\.67 to 4\.00/,
    todo: /data\.augment=aggressive/,
    not: { validation: [8, 7, 6, 5, 5.1, 5.05, 5.1, 5.05, 5.1, 5.1] },
  },
  underfitting: {
    triggers: { training: falling(8, 7), validation: falling(8, 7.2) },
    said: /fell by 13 % only in 10 epochs \(8\.00 to 7\.00\), and that of validation \(7\.20\) is 1\.03 times it/,
    todo: /Train longer/,
    not: { training: falling(8, 7), validation: falling(9, 8.5) },
  },
  "still rising": {
    triggers: { scores: falling(0.1, 0.4) },
    said: /AP50:95 was best at the very end \(0\.400\) and had risen by 0\.067 since epoch 8/,
    todo: /rfdetr-train extend .* --epochs 20\./,
    not: { scores: [...falling(0.1, 0.4).slice(0, 8), 0.36, 0.33] },
  },
  "average lags": {
    triggers: recipe("train: { ema: { decay: 0.993, tau: 0 } }"),
    said: /average of about the last 143 of its 500 steps \(train\.ema\.decay 0\.993\)/,
    todo: /train\.ema\.decay=0\.96/,
    not: recipe("train: { ema: { decay: 0.985, tau: 0 } }"),
  },
  "few images": {
    triggers: { trainImages: 47 },
    said: /trains on 47 images, and came to AP50:95 0\.412/,
    todo: /predict --weights .* --labels coco/,
    not: { trainImages: 200 },
  },
  "few validation images": {
    triggers: { promised: [0.5, 0.75] },
    said: /on 2 images with 180 objects: of precision they promise 0\.50 to 0\.75 only/,
    todo: /data split --data DIR --val 0\.2/,
    not: { promised: [0.5, 0.69] },
  },
  "broken promise": {
    triggers: { tested: 0.5 },
    said: /On its 40 test images validation promised precision 0\.60 to 0\.80; on the test split it is 0\.50: not confirmed/,
    todo: /evaluate --split test/,
    not: { tested: 0.61 },
  },
  "rare classes": {
    triggers: { perClass: [...QUIET.perClass, { name: "yew", annotations: 9, ap: 0.1 }] },
    said: /yew has 9 objects in validation and AP50:95 0\.100, oak 100 and 0\.400/,
    todo: /data\.resample=repeat-factor/,
    not: { perClass: [...QUIET.perClass, { name: "yew", annotations: 9, ap: 0.3 }] },
  },
  "small objects": {
    triggers: { objects: [[10, 14, 90], [100]] },
    said: /50 % of 4 validation objects have less than 10 pixels a side as the network sees them, at 384 x 384 \(APs 0\.050\)/,
    todo: /data\.slices=\{size: 544\}/,
    not: {
      objects: [
        [16, 20, 90],
        [100, 90, 90, 90],
      ],
    },
  },
  "few queries": {
    triggers: { objects: [[80], Array(301).fill(60)] },
    said: /1 of 2 validation pictures hold more objects \(up to 301\) than the model's 300 queries/,
    todo: /model\.num_queries=400/,
    not: { objects: [[80], Array(300).fill(60)] },
  },
  "loader-bound": {
    triggers: { wait: 0.45 },
    said: /wait for images 45 % of their time \(median of 50 recorded steps\)/,
    todo: /data\.workers is 2 of the machine's 8 cores, so --set data\.workers=4/,
    not: { wait: 0.19 },
  },
  "step-bound": {
    triggers: { wait: 0.01, ...recipe("train: { amp_dtype: none, compile: off, gradient_checkpointing: all }") },
    said: /wait for images 1 % of their time \(median of 50 recorded steps\): the network limits this run, 1\.3 s a step/,
    todo: /--set train\.amp_dtype=auto --set train\.compile=graph --set train\.gradient_checkpointing=none/,
    not: { wait: 0.01, ...recipe("train: { amp_dtype: bf16, compile: graph, gradient_checkpointing: none }") },
  },
  memory: {
    triggers: { cost: { steps: 500, seconds: 1.3, peakBytes: 14e9 } },
    said: /held up to 14\.0 GB of the machine's 16\.0 GB \(88 %\)/,
    todo: /gradient_checkpointing=all/,
    not: { cost: { steps: 500, seconds: 1.3, peakBytes: 12e9 } },
  },
};

test("every rule has a case", () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(RULES).sort());
});

test("a run in which nothing is worth a word gets none", async () => {
  expect(await adviseRun(await writeRun({}))).toEqual([]);
});

describe.each(Object.entries(CASES))("%s", (name, { triggers, said, todo, not }) => {
  test("is said, with its numbers and what would help", async () => {
    const found = (await adviseRun(await writeRun(triggers))).find(({ rule }) => rule === name);
    expect(found?.text).toMatch(said);
    expect(found?.todo).toMatch(todo);
    expect(found?.text).toMatch(/\d/);
  });

  test("is not said of a run that is not so", async () => {
    expect((await adviseRun(await writeRun(not))).map(({ rule }) => rule)).not.toContain(name);
  });
});

test("skipped steps count as steps that are too large, too", async () => {
  const [first] = await adviseRun(await writeRun({ skipped: 2 }));
  expect(first).toMatchObject({ rule: "rate too high", text: expect.stringMatching(/^2 steps were skipped/) });
});

test("a folder with nothing but a recipe gets no advice, and one that is no run's is refused", async () => {
  const bare = await mkdtemp(join(dir, "bare-"));
  await expect(adviseRun(bare)).rejects.toThrow(UserError);
  await writeFile(join(bare, "recipe.yaml"), "name: bare\n");
  expect(await adviseRun(bare)).toEqual([]);
});

test("files of strangers say nothing that is not a number, and lead nowhere", async () => {
  const folder = await writeRun({});
  const rows = ["__proto__", null, [], {}, "1e999", { toString: "x" }].map((odd, i) => {
    return { step: i + 1, epoch: i, split: i % 2 ? "val" : "train", data_wait: odd, epoch_mean: odd, val_loss: odd, "AP50:95": odd }; // biome-ignore format: one line
  });
  await writeFile(join(folder, "metrics.jsonl"), lines(rows));
  await writeFile(join(folder, "recipe.yaml"), "name: odd\nmodel: { variant: __proto__, num_queries: [] }\ntrain: [1]\ndata: null\n"); // biome-ignore format: one line
  for (const name of ["environment.json", "evaluation-best.json", "evaluation-test.json", "thumbnails.json"])
    await writeFile(
      join(folder, name),
      '{"format":1,"cpu":7,"memory_bytes":"much","perClass":[null],"confirmation":{}}',
    );
  await rm(join(folder, "log.jsonl"));
  await symlink("/etc/passwd", join(folder, "log.jsonl"));
  expect(await adviseRun(folder)).toEqual([]);
});
