// A data set with a test split: the best weights of a run are evaluated there once, at the thresholds that validation chose.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { weightsAt } from "../src/checkpoint/weightsFolder.ts";
import { convertDataset } from "../src/convert/convertDataset.ts";
import { loadDataset } from "../src/data/dataset/dataset.ts";
import { loadBackend } from "../src/engine/backend.ts";
import { evaluate } from "../src/eval/measure.ts";
import type { RecipeInput } from "../src/recipe/input.ts";
import type { TestRow, TrainEvent } from "../src/run/events.ts";
import { readMetrics } from "../src/run/records/metricsFile.ts";
import type { TestRecord } from "../src/run/records/testRecord.ts";
import { testImages } from "../src/train/ending/testSplit.ts";
import { resume, train } from "../src/train/run.ts";
import { extend } from "../src/train/verbs/extend.ts";
import { rollback } from "../src/train/verbs/rollback.ts";
import { sha256File } from "../src/util/files.ts";
import { factLine } from "../src/util/text/fact.ts";
import { launch } from "./support/launcher.ts";
import { collect, expectSameRun, labelAsFound, rowsOf, tinyDataset, tinyRecipe } from "./support/tinyRun.ts";

let [dir, data, first, run] = ["", "", "", ""];
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "test-split-"));
  [data, first, run] = [join(dir, "data"), join(dir, "first"), join(dir, "run")];
  await tinyDataset(data, { test: true });
  const short = tinyRecipe(data, { train: { epochs: 1 }, eval: { run_test: false } });
  const untested = await collect((options) => train(short, { run: first, ...options }));
  expect(untested.rows.some(({ split }) => split === "test")).toBe(false);
  for (const split of ["valid", "test"])
    await labelAsFound(first, { images: join(data, split), out: join(dir, `labels ${split}`) });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What goes on from weights that find what is labelled, so slowly that they stay the same but for rounding. */
const recipe = (changes: Pick<RecipeInput, "eval" | "train"> = {}, folder = data) => {
  const train = { max_steps: 1, lr: 1e-9, lr_encoder: 1e-9, ...changes.train };
  return { ...tinyRecipe(folder, { ...changes, train }), weights: first };
};
const recordOf = async (of: string): Promise<TestRecord> =>
  JSON.parse(await readFile(join(of, "evaluation-test.json"), "utf8"));
const notices = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "notice" || event.type === "warning" ? [event.message] : []));
const tested = (events: readonly TrainEvent[]) =>
  events.filter((event) => event.type === "evaluating" && event.split === "test").length;

test("the best weights are evaluated on it at the end, and validation's promise is confirmed", async () => {
  const { numTensors } = tf.memory();
  const { rows, events, end } = await collect((options) => train(recipe(), { run, ...options }));
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(end).toMatchObject({ status: "done", step: 1 });
  expect(tested(events)).toBe(1);
  const facts = events.flatMap((event) => (event.type === "start" ? event.facts.map(factLine) : []));
  expect(facts).toContain(
    "Test split: the best weights are evaluated on its 5 images once, at the end; nothing is chosen by them",
  );
  const record = await recordOf(run);
  expect(record).toMatchObject({ step: 1, epoch: 0, images: 5, unread: 0, evaluations: 1 });
  expect(record.weights.sha256).toBe(await sha256File(await weightsAt(run)));

  const row = rows.at(-1) as TestRow;
  const { precision, recall } = record.measured;
  expect(row).toMatchObject({ split: "test", step: 1, epoch: 0, best_step: 1, precision, recall });
  expect(row["AP50:95"]).toBe(record.metrics["AP50:95"]);
  expect(row.per_class).toEqual(Object.fromEntries(record.perClass.map((one) => [one.name, one["AP50:95"]])));
  expect(row.F1).toBeCloseTo((2 * precision! * recall!) / (precision! + recall!), 12);
  expect(await readMetrics(join(run, "metrics.jsonl"))).toEqual(rows);

  const one = record.confirmation.precision!;
  expect(one).toMatchObject({ measured: precision, held: one.low <= precision! && precision! <= one.high });
  const text = `Validation promised precision ${one.low.toFixed(2)} to ${one.high.toFixed(2)}; on the test split it is ${precision!.toFixed(2)}: ${one.held ? "confirmed" : "not confirmed"}.`;
  expect(notices(events)).toContain(text);
  expect(notices(events).join("\n")).toMatch(/Detections count from a score of 0\.\d\d \(the best F1 .*; with fewer than 30 boxes to choose by: red, blue; of 3 other images expect precision/); // biome-ignore format: one line
  const page = await readFile(join(run, "report.html"), "utf8");
  expect(page).toMatch(new RegExp(`<section id="test".*${text}`, "s"));
  const csv = (await readFile(join(run, "results.csv"), "utf8")).split("\n");
  expect(csv[0]!.split(",")).toEqual(expect.arrayContaining(["test/AP50:95", "test/precision", "test/best_step"]));
});

test("evaluate measures the same there, at the stored thresholds, and says whether they keep their promise", async () => {
  const found = await evaluate({ weights: run, data, split: "test", batchSize: 1, device: "cpu" });
  const { metrics, measured, confirmation } = await recordOf(run);
  expect(found.metrics["AP50:95"]).toBeCloseTo(metrics["AP50:95"]!, 9);
  expect(found.atPoint).toMatchObject({ ...measured, confirmation });
  const onVal = await evaluate({ weights: run, data, split: "val", batchSize: 1, device: "cpu" });
  expect(onVal.atPoint!.confirmation).toBeNull(); // they were chosen there
  const words = ["evaluate", "--weights", run, "--data", data, "--split"];
  const [onTest, plain] = [await launch([...words, "test"]), await launch([...words, "val"])];
  expect(onTest.out).toMatch(
    /^stored point .*\(score >= 0\.\d\d: precision 0\.\d{4}, recall 0\.\d{4} of all boxes\)$/m,
  );
  expect(onTest.out).toMatch(/^validation promised recall .* on the test split it is .*: (not )?confirmed\.$/m);
  expect(plain.out).toMatch(/^Promised by validation of 3 other images: precision .* \(95 % intervals\)\.$/m);
});

test("a finished run is not tested again; one that was killed while it was tested is, to the same rows", async () => {
  const before = await rowsOf(run);
  const again = await collect((options) => resume(run, options));
  expect([tested(again.events), again.rows.length]).toEqual([0, 0]);
  expect(await rowsOf(run)).toEqual(before);

  const metrics = join(run, "metrics.jsonl");
  const lines = (await readFile(metrics, "utf8")).trimEnd().split("\n");
  await writeFile(metrics, `${lines.slice(0, -1).join("\n")}\n`); // killed before its row was written
  const row = await collect((options) => resume(run, options));
  expect([tested(row.events), row.rows.map(({ split }) => split)]).toEqual([0, ["test"]]);
  expect(await rowsOf(run)).toEqual(before);

  await writeFile(metrics, `${lines.slice(0, -1).join("\n")}\n`); // before anything was
  await rm(join(run, "evaluation-test.json"));
  const killed = await collect((options) => resume(run, options));
  expect([tested(killed.events), killed.end.status]).toEqual([1, "done"]);
  expect(await rowsOf(run)).toEqual(before);
  expect(await readFile(join(run, "results.csv"), "utf8")).toContain("test/AP50:95");
});

test("a run that is trained longer says that it was tested, and is tested anew where other weights are the best", async () => {
  const { events, rows } = await collect((options) => extend(run, { epochs: 2, ...options }));
  const facts = events.flatMap((event) => (event.type === "start" ? event.facts.map(factLine) : []));
  expect(facts.join("\n")).toMatch(/The test split was evaluated with the weights of step 1: only if other weights/);
  const { step, evaluations } = await recordOf(run);
  const better = step !== 1;
  expect([tested(events), evaluations]).toEqual(better ? [1, 2] : [0, 1]);
  expect(rows.filter(({ split }) => split === "test")).toMatchObject([{ step: 10, epoch: 1, best_step: step }]);

  await writeFile(
    join(run, "evaluation-test.json"),
    JSON.stringify({ ...(await recordOf(run)), weights: { sha256: "other" } }),
  );
  const longer = await collect((options) => extend(run, { epochs: 3, ...options }));
  expect(tested(longer.events)).toBe(1);
  expect((await recordOf(run)).evaluations).toBe(evaluations + 1);
  expect(notices(longer.events).join("\n")).toMatch(/has now looked at its 5 test images \d times/);
});

test("going back moves aside what other weights came to", async () => {
  const { name } = await rollback(run, "0000-00000001");
  expect(name).toBe("0000-00000001");
  const kept = await recordOf(run).catch(() => null);
  expect(kept === null || kept.weights.sha256 === (await sha256File(await weightsAt(run)))).toBe(true);
});

test("nothing is chosen by it: with other test labels a run ends in the same bytes", async () => {
  const other = join(dir, "other");
  await tinyDataset(other, { test: true });
  for (const split of ["train", "valid"])
    await writeFile(join(other, split, "_annotations.coco.json"), await readFile(join(data, split, "_annotations.coco.json"))); // biome-ignore format: one line
  const runs = [join(dir, "a"), join(dir, "b")] as const;
  const rows: object[][] = [];
  for (const [i, folder] of [data, other].entries()) {
    await collect((options) => train(recipe({ train: { max_steps: 3 } }, folder), { run: runs[i]!, ...options }));
    rows.push(await rowsOf(runs[i]!));
  }
  expect(rows[1]!.at(-1)).not.toEqual(rows[0]!.at(-1)); // that of the test split
  for (const [i, of] of runs.entries()) {
    const kept = rows[i]!.slice(0, -1).map((row) => `${JSON.stringify(row)}\n`);
    await writeFile(join(of, "metrics.jsonl"), kept.join(""));
  }
  await expectSameRun(...runs);
});

test("the test images of a YOLO data set are those that its data.yaml names", async () => {
  const yolo = join(dir, "yolo");
  await convertDataset({ dir: data }, { to: "yolo", out: yolo });
  const dataset = await loadDataset({ dir: yolo });
  expect(dataset.layout).toBe("yolo");
  const found = testImages(tinyRecipe(yolo), dataset);
  expect(found!.split.samples.map(({ file }) => file.split("/").at(-1))).toEqual(["0", "1", "2", "3", "4"].map((name) => `${name}.png`)); // biome-ignore format: one line
  expect(testImages(tinyRecipe(yolo, { eval: { run_test: false } }), dataset)).toBeNull();
});

test("a test split without a labelled object, and --overfit, are not evaluated", async () => {
  const file = join(dir, "other", "test", "_annotations.coco.json");
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), annotations: [] }));
  const unlabelled = await collect((options) => train(recipe({}, join(dir, "other")), { run: join(dir, "c"), ...options })); // biome-ignore format: one line
  const facts = unlabelled.events.flatMap((event) => (event.type === "start" ? event.facts.map(factLine) : []));
  expect(facts).toContain("Test split: none of its 5 images has an object, so nothing is measured on them");
  const overfit = await collect((options) => train(recipe(), { run: join(dir, "d"), overfit: 2, ...options }));
  expect([tested(unlabelled.events), tested(overfit.events)]).toEqual([0, 0]);
  expect([...unlabelled.rows, ...overfit.rows].some(({ split }) => split === "test")).toBe(false);
});
