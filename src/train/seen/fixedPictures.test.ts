import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import type { Sample } from "../../data/dataset/sample.ts";
import { loadBackend } from "../../engine/backend.ts";
import {
  type FixedEvaluation,
  type FixedPictures,
  MOST_OUTLINE,
  readFixedPictures,
  withinBounds,
} from "../../run/records/fixedPictures.ts";
import { resume, train } from "../run.ts";
import { rollback } from "../verbs/rollback.ts";
import { chooseSpread } from "./fixedChoice.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "fixed-"));
  await tinyDataset(join(dir, "data"), { masks: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = (changes: Parameters<typeof tinyRecipe>[1] = {}) =>
  tinyRecipe(join(dir, "data"), { checkpoint: { every_steps: 3, keep_last: 9 }, ...changes });
const read = async (run: string) => (await readFixedPictures(join(dir, run)))!;
const start = (run: string, stopAfter?: number, changes = {}) =>
  collect((options) => train(recipe(changes), { run: join(dir, run), ...options }), stopAfter);
const stepsOf = ({ evaluations }: FixedPictures) => evaluations.map(({ step }) => step);

/** An image with objects of these classes. */
const sampleOf = (imageId: number, kinds: readonly number[]): Sample => ({
  ...{ imageId, file: `${imageId}.jpg`, path: "", width: 90, height: 70 },
  annotations: kinds.map((categoryId, id) => {
    return { id, categoryId, label: categoryId - 1, box: [1, 2, 30, 40], area: 9, crowd: false };
  }),
});

test("six images are spread over classes and numbers of objects, the same ones for a seed, and none that cannot be used", async () => {
  const samples = Array.from({ length: 200 }, (_, i) =>
    sampleOf(
      i,
      Array.from({ length: i % 25 }, (_, k) => (k === 3 && i % 20 === 3 ? 2 + (i % 5) : 1)),
    ),
  );
  const choose = (seed: number, use: (sample: Sample) => Sample | undefined = (sample) => sample) =>
    chooseSpread(samples, { seed, count: 6, use: async (sample) => use(sample) });
  const first = await choose(1);
  const counts = first.map(({ annotations }) => annotations.length);
  expect(first).toHaveLength(6);
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
  expect(counts[0]).toBeLessThanOrEqual(4);
  expect(counts[0]).toBeGreaterThan(0);
  expect(counts[5]).toBeGreaterThanOrEqual(21);
  expect(await choose(1)).toEqual(first);
  expect(await choose(2)).not.toEqual(first);
  const others = await choose(1, (sample) => (first.includes(sample) ? undefined : sample));
  expect(others).toHaveLength(6);
  expect(others.some((sample) => first.includes(sample))).toBe(false);

  const rare = Array.from({ length: 60 }, (_, i) => sampleOf(i, i === 31 ? [1, 9] : i === 52 ? [1, 8] : [1, 1]));
  const chosen = await chooseSpread(rare, { seed: 3, count: 6, use: async (sample) => sample });
  const classes = new Set(chosen.flatMap(({ annotations }) => annotations.map(({ categoryId }) => categoryId)));
  expect(classes).toEqual(new Set([1, 8, 9]));
});

test("where few images have objects, or very many, the others are taken, too", async () => {
  const use = async (sample: Sample) => sample.imageId;
  const crowded = [sampleOf(1, []), sampleOf(2, Array(90).fill(1)), sampleOf(3, [1])];
  expect(await chooseSpread(crowded, { seed: 1, count: 6, use })).toHaveLength(3);
  expect(await chooseSpread([], { seed: 1, count: 6, use })).toEqual([]);
});

test("a run notes what each evaluation finds in the pictures that it chose as it began, and its trackers get them", async () => {
  await start("whole", undefined, { track: { every_steps: 1, wandb: { project: "p", mode: "offline" } } });
  const record = await read("whole");
  expect(stepsOf(record)).toEqual([5, 10]);
  expect(record.classes).toEqual(["red", "blue"]);
  expect(record.pictures.map(({ image }) => image).sort()).toEqual(["0.png", "1.png", "2.png"]);
  const objects = record.pictures.map(({ truths }) => truths.length);
  expect(objects).toEqual([...objects].sort());
  for (const { pictures } of record.evaluations) expect(pictures).toHaveLength(3);
  const kept = await readFile(join(dir, "whole", "wandb", "pictures.jsonl"), "utf8");
  for (const name of ["worst-1", "fixed-1", "fixed-3"]) expect(kept).toContain(`"val/${name}"`);
  const small = JSON.parse(await readFile(join(dir, "whole", "fixed-pictures.json"), "utf8")) as FixedPictures;
  expect(small).toEqual(record);
});

test("a run that is stopped and resumed has the same record, whatever a killed one had noted after its last checkpoint", async () => {
  await start("stopped", 4);
  expect(stepsOf(await read("stopped"))).toEqual([]);
  await collect((options) => resume(join(dir, "stopped"), options));
  const whole = await read("whole");
  expect(await read("stopped")).toEqual(whole);

  await cp(join(dir, "stopped"), join(dir, "killed"), { recursive: true, verbatimSymlinks: true });
  await rollback(join(dir, "killed"), "0000-00000003");
  const later = { ...whole, evaluations: [...whole.evaluations, { ...whole.evaluations[1]!, step: 12 }] };
  await writeFile(join(dir, "killed", "fixed-pictures.json"), JSON.stringify(later));
  await collect((options) => resume(join(dir, "killed"), options));
  expect(await read("killed")).toEqual(whole);
});

test("a rollback leaves out what later evaluations found, and keeps it aside", async () => {
  await start("back");
  const before = await read("back");
  const { folder } = await rollback(join(dir, "back"), "0000-00000005");
  expect(await read("back")).toEqual({ ...before, evaluations: before.evaluations.slice(0, 1) });
  expect(JSON.parse(await readFile(join(folder!, "fixed-pictures.json"), "utf8"))).toEqual(before);
});

test("pictures are chosen anew where the data are others", async () => {
  const whole = await read("whole");
  await start("other", 2);
  const foreign = { ...whole, pictures: whole.pictures.map((one) => ({ ...one, image: "of-other-data.png" })) };
  await writeFile(join(dir, "other", "fixed-pictures.json"), JSON.stringify(foreign));
  await collect((options) => resume(join(dir, "other"), options));
  expect(await read("other")).toEqual(whole);
});

test("a segmenter's pictures have outlines of labels and of what was found", async () => {
  await start("masks", undefined, { model: { segmentation_head: true } });
  const { pictures, evaluations } = await read("masks");
  expect(pictures.every(({ truths, outlines }) => outlines!.length === truths.length)).toBe(true);
  const drawn = pictures.flatMap(({ outlines }) => outlines!).filter(({ length }) => length > 0);
  expect(drawn.length).toBeGreaterThan(0);
  for (const outline of drawn) expect(outline.length).toBeLessThanOrEqual(MOST_OUTLINE);
  for (const one of evaluations.flatMap((evaluation) => evaluation.pictures))
    expect(one.outlines).toHaveLength(one.detections.length);
});

test("three hundred and more evaluations of full pictures stay within half a megabyte, spread over the run", () => {
  const full = { detections: Array.from({ length: 30 }, () => [1, 0.1234, 100.5, 100.5, 50.5, 50.5, -1, -1, 0]) };
  let kept: FixedEvaluation[] = [];
  for (let epoch = 0; epoch < 330; epoch++) {
    const evaluation = { step: 100 * (epoch + 1), epoch, threshold: 0.5, pictures: Array(6).fill(full) };
    kept = withinBounds([...kept, evaluation as FixedEvaluation]);
  }
  expect(JSON.stringify(kept).length).toBeLessThan(600_000);
  expect(kept.length).toBeGreaterThan(50);
  expect([kept[0]!.epoch, kept.at(-1)!.epoch]).toEqual([0, 329]);
  const gaps = kept.slice(1).map(({ epoch }, i) => epoch - kept[i]!.epoch);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(4 * Math.max(1, Math.round(330 / kept.length)));
  const empty = { step: 1, epoch: 0, threshold: 0.5, pictures: [] };
  expect(withinBounds(Array.from({ length: 301 }, (_, step) => ({ ...empty, step })))).toHaveLength(300);
});

test("a record that others wrote is used whole or not at all", async () => {
  const whole = await read("masks");
  const path = join(dir, "masks", "fixed-pictures.json");
  const changes: ((record: FixedPictures) => void)[] = [
    (record) => Object.assign(record, { format: 2 }),
    (record) => Object.assign(record, { classes: "red" }),
    (record) => Object.assign(record.pictures[0]!, { jpeg: '/9j/"><script>' }),
    (record) => record.pictures.push(...record.pictures, ...record.pictures),
    (record) => record.evaluations[0]!.pictures.pop(),
    (record) => Object.assign(record.evaluations[0]!, { threshold: "0.5" }),
    (record) => record.pictures[0]!.outlines!.push([1, 2]),
    (record) => Object.assign(record.pictures[0]!.outlines!, { 0: ["x", 2] }),
    (record) => record.evaluations[0]!.pictures[0]!.detections.push([7, 0.5, 1, 1, 1, 1, -1, -1, 0]),
  ];
  for (const change of changes) {
    const copy = structuredClone(whole);
    change(copy);
    await writeFile(path, JSON.stringify(copy));
    expect(await readFixedPictures(join(dir, "masks")), String(change)).toBeNull();
  }
  await writeFile(path, JSON.stringify(whole));
  expect(await read("masks")).toEqual(whole);
});
