import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { type Dataset, loadDataset } from "../../data/dataset/dataset.ts";
import { type Evaluation, evaluateModel } from "../../eval/evaluate.ts";
import type { ValRow } from "../../run/events.ts";
import type { EvaluationRecord } from "../../run/records/evaluation.ts";
import { BEGINNING } from "../progress.ts";
import { recordEvaluation } from "./evaluationRecord.ts";

let dir: string;
let dataset: Dataset;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "evaluation-"));
  await tinyDataset(join(dir, "data"));
  dataset = await loadDataset({ dir: join(dir, "data") });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** An evaluation in which the first object of each image is found, and something else is, too. */
async function evaluation(): Promise<Evaluation> {
  const { samples } = dataset.splits.val!;
  const nothing = (async function* () {})();
  const empty = await evaluateModel({ detect: () => [], batches: nothing, samples, classes: dataset.classes });
  const detections = samples.flatMap(({ imageId, annotations }) => [
    ...annotations.slice(0, 1).map(({ categoryId, box: [x1, y1, x2, y2] }) => {
      return { imageId, categoryId, bbox: [x1, y1, x2 - x1, y2 - y1] as const, score: 0.9 };
    }),
    { imageId, categoryId: dataset.classes[0]!.categoryId, bbox: [0, 0, 3, 3] as const, score: 0.9 },
  ]);
  const f1 = { threshold: 0.4, f1: 0.5, precision: 0.5, recall: 0.5 };
  return { ...empty, f1, detections, images: samples.length };
}

const run = (folder: string, best: number | null = null) => ({
  dir: join(dir, folder),
  valSplit: dataset.splits.val!,
  classes: dataset.classes,
  recipe: tinyRecipe(join(dir, "data")),
  progress: { ...BEGINNING, best: best === null ? null : { score: best, step: 1 } },
});
const row = (step: number, ap: number): ValRow => ({
  ...{ step, epoch: step - 1, split: "val", "AP50:95": ap, AP50: ap, AP75: null, AR: ap, per_class: {} },
});
const read = async (folder: string, name: string) =>
  JSON.parse(await readFile(join(dir, folder, name), "utf8")) as EvaluationRecord;

test("an evaluation leaves its details, and pictures that can be opened", async () => {
  const pictures = await recordEvaluation(run("whole"), row(4, 0.2), await evaluation());
  const written = await read("whole", "evaluation.json");
  expect(written).toMatchObject({ format: 1, step: 4, epoch: 3, images: 3, threshold: 0.4 });
  expect(written.perClass.map(({ name }) => name)).toEqual(["red", "blue"]);
  expect(written.metrics.APl).toBeNull();
  const counts = Object.fromEntries(written.errors!.kinds.map(({ kind, count }) => [kind, count]));
  const objects = written.perClass.reduce((sum, { annotations }) => sum + annotations, 0);
  expect(counts.background! + counts.localisation!).toBe(3); // what is in the corner of each image
  expect(counts.missed! + counts.localisation!).toBeGreaterThanOrEqual(objects - 3 - counts.localisation!);
  expect(written.pictures.map(({ kind }) => kind)).toEqual(["worst", "worst", "best"]);
  for (const [i, { file, width, height, found, wrong, image }] of written.pictures.entries()) {
    const bytes = await readFile(join(dir, "whole", file));
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "jpeg", width, height });
    expect(Buffer.from(pictures[i]!.data).equals(bytes)).toBe(true);
    expect(pictures[i]!.caption).toContain(`${image}: ${found} of `);
    expect([found, wrong]).toEqual([1, 1]);
  }
});

test("what is wrong in a picture can be seen: the halves differ where labels and predictions do", async () => {
  await recordEvaluation(run("halves"), row(1, 0.2), await evaluation());
  const { pictures } = await read("halves", "evaluation.json");
  const { data, info } = await sharp(join(dir, "halves", pictures[0]!.file))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const half = Math.floor((info.width - 8) / 2);
  let differs = 0;
  for (let y = 30; y < info.height; y++)
    for (let x = 0; x < half; x++) {
      const left = data[3 * (y * info.width + x)]!;
      const right = data[3 * (y * info.width + x + half + 8)]!;
      if (Math.abs(left - right) > 60) differs++;
    }
  expect(differs).toBeGreaterThan(200);
});

test("a segmenter's pictures show masks on both sides, of labels and of predictions; a detector's show none", async () => {
  const found = await evaluation();
  const masked = (kind: string, mask: boolean, metrics: Evaluation["metrics"]) => {
    const { samples, ...split } = dataset.splits.val!;
    const own = samples.map((sample) => {
      const size: [number, number] = [sample.height!, sample.width!];
      const column = Math.floor(size[1] / 3) * size[0];
      const counts = [column, column, size[0] * size[1] - 2 * column];
      return { ...sample, annotations: sample.annotations.map((one) => ({ ...one, mask: { size, counts } })) };
    });
    const detections = found.detections.map((one) => {
      const mine = own.find(({ imageId }) => imageId === one.imageId)!.annotations[0]!.mask;
      return mask ? { ...one, mask: mine } : one;
    });
    const to = { ...run(kind), valSplit: { ...split, samples: own } };
    return recordEvaluation(to, row(1, 0.2), { ...found, detections, metrics });
  };
  const segmenter = await masked("masks", true, { ...found.metrics, "segm AP50:95": 0.1 });
  const detector = await masked("boxes", false, found.metrics);
  for (const [i, { data, width }] of segmenter.entries()) {
    const pixels = await sharp(data).raw().toBuffer();
    const bare = await sharp(detector[i]!.data).raw().toBuffer();
    const half = Math.floor((width - 8) / 2);
    const changed = [0, 0];
    for (let at = 0; at < pixels.length / 3; at++)
      if ([0, 1, 2].some((c) => Math.abs(pixels[3 * at + c]! - bare[3 * at + c]!) > 20))
        changed[at % width < half ? 0 : 1]!++;
    expect(Math.min(...changed)).toBeGreaterThan(5000);
  }
});

test("the best evaluation stays beside the last one, and pictures of others go", async () => {
  await recordEvaluation(run("best"), row(1, 0.2), await evaluation());
  await recordEvaluation(run("best", 0.2), row(2, 0.5), await evaluation());
  await recordEvaluation(run("best", 0.5), row(3, 0.4), await evaluation());
  await recordEvaluation(run("best", 0.5), row(4, 0.3), await evaluation());
  expect((await read("best", "evaluation.json")).step).toBe(4);
  expect((await read("best", "evaluation-best.json")).step).toBe(2);
  expect((await readdir(join(dir, "best", "evaluation"))).sort()).toEqual(["2", "4"]);
  await recordEvaluation(run("best", 0.5), row(4, 0.3), await evaluation()); // done again after a resume
  expect((await readdir(join(dir, "best", "evaluation"))).sort()).toEqual(["2", "4"]);
});

test("an image that is gone fails the record, and what was there stays whole", async () => {
  await recordEvaluation(run("gone"), row(1, 0.2), await evaluation());
  const moved = run("gone", 0.2);
  const samples = moved.valSplit.samples.map((sample) => ({ ...sample, path: `${sample.path}.gone` }));
  const without = { ...moved, valSplit: { ...moved.valSplit, samples } };
  await expect(recordEvaluation(without, row(2, 0.5), await evaluation())).rejects.toThrow("no such file");
  const { step, pictures } = await read("gone", "evaluation.json");
  expect(step).toBe(1);
  expect(pictures.every(({ file }) => existsSync(join(dir, "gone", file)))).toBe(true);
});

test("a damaged record of an earlier evaluation is replaced", async () => {
  await recordEvaluation(run("damaged"), row(1, 0.2), await evaluation());
  await writeFile(join(dir, "damaged", "evaluation-best.json"), "{");
  await recordEvaluation(run("damaged", 0.2), row(2, 0.5), await evaluation());
  expect((await read("damaged", "evaluation-best.json")).step).toBe(2);
});

test("files that others have put beside an evaluation's own stay, when it is replaced and when it is removed", async () => {
  const notes = async (step: number) => {
    await mkdir(join(dir, "noted/evaluation", String(step)), { recursive: true });
    await writeFile(join(dir, "noted/evaluation", String(step), "notes.txt"), `of ${step}`);
  };
  await recordEvaluation(run("noted"), row(1, 0.2), await evaluation());
  for (const step of [1, 7]) await notes(step);
  await recordEvaluation(run("noted", 0.2), row(1, 0.1), await evaluation()); // as after a resume
  const own = await readdir(join(dir, "noted/evaluation/1"));
  expect(own).toContain("objects.json");
  await recordEvaluation(run("noted", 0), row(2, 0.3), await evaluation());
  for (const step of [1, 7]) expect(await readdir(join(dir, "noted/evaluation", String(step)))).toEqual(["notes.txt"]);
  expect((await readdir(join(dir, "noted/evaluation"))).sort()).toEqual(["1", "2", "7"]);
});
