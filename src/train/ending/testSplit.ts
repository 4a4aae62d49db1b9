// The test split, once a run is done: its best weights are evaluated there at the thresholds that they say, once. Nothing is chosen by it.

import { dirname } from "node:path";
import { checkpointInfo } from "../../checkpoint/store/store.ts";
import { weightsAt } from "../../checkpoint/weightsFolder.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { openDetector } from "../../detector/open.ts";
import { comingBatches, evaluateSplit } from "../../eval/data/evaluateSplit.ts";
import type { Evaluation } from "../../eval/evaluate.ts";
import { measureAt } from "../../eval/operating/measureAt.ts";
import { bySummary, MAIN_METRIC, PREFIXES } from "../../instance/metrics.ts";
import { confirm, describeConfirmation, f1Of } from "../../instance/operating/confirm.ts";
import type { OperatingPoint } from "../../instance/operating/point.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { TestRow, TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { readMetrics } from "../../run/records/metricsFile.ts";
import { readTestRecord, type TestRecord } from "../../run/records/testRecord.ts";
import { sha256File, writeFileAtomic } from "../../util/files.ts";
import { type Fact, sentence } from "../../util/text/fact.ts";
import type { Run, TestImages } from "../liveRun.ts";
import { recordedMetrics } from "../record/evaluationRecord.ts";
import { notice, record, recordResults, warning } from "../record/record.ts";
import { batchSize } from "../settings.ts";

/** The images that a run is tested on at its end; null where its recipe does not want that, or there are none with objects. */
export function testImages(recipe: Recipe, { splits: { test }, classes }: Dataset): TestImages | null {
  if (!recipe.eval.run_test || !test) return null;
  return test.samples.some(({ annotations }) => annotations.length > 0) ? { split: test, classes } : null;
}

/** For people, before a run: what becomes of the test split. */
export function describeTest(recipe: Recipe, dataset: Dataset): Fact[] {
  const { test } = dataset.splits;
  if (!recipe.eval.run_test || !test) return [];
  const value = testImages(recipe, dataset)
    ? `the best weights are evaluated on its ${test.samples.length} images once, at the end; nothing is chosen by them`
    : `none of its ${test.samples.length} images has an object, so nothing is measured on them`;
  return [{ name: "Test split", value }];
}

/** For people, before a run is trained longer: that its test split has been looked at. */
export async function describeTested(dir: string): Promise<Fact[]> {
  const before = await readTestRecord(dir);
  if (!before) return [];
  const anew = "only if other weights are the best at the end it is evaluated anew";
  return [sentence(`The test split was evaluated with the weights of step ${before.step}: ${anew}`)];
}

type Tested = Pick<Run, "dir" | "recipe" | "progress" | "metrics" | "log" | "tracker">;

/**
 * Evaluate the best weights of a run on its test images, write down what came of it, and say so. Weights that have been evaluated
 * there are not again: only their row is written, where metrics.jsonl lacks it. Trouble is a warning, and undoes nothing.
 */
export async function* testRun(
  run: Tested,
  images: TestImages,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<TrainEvent, void, undefined> {
  const { dir } = run;
  const { step, epoch, batch } = run.progress;
  const at = { step, epoch: batch === 0 && epoch > 0 ? epoch - 1 : epoch }; // a finished epoch has been counted
  try {
    const { record: before, isCurrent, hasRow } = await testedSoFar(dir);
    if (before && isCurrent) {
      const day = before.evaluated.slice(0, 10);
      yield notice(run, `The test split was evaluated with these weights on ${day}: it is not again.`);
      if (!hasRow) yield* recordTest(run, rowOf(at, before));
      return;
    }
    yield { type: "evaluating", epoch: at.epoch, images: images.split.samples.length, split: "test" };
    const found = await evaluated(run, images, { evaluations: (before?.evaluations ?? 0) + 1, signal });
    await writeFileAtomic(runFiles(dir).testEvaluation, `${JSON.stringify(found)}\n`);
    yield* recordTest(run, rowOf(at, found));
    for (const text of describeTestRecord(found)) yield notice(run, text);
  } catch (error) {
    const why = signal?.aborted ? "it was stopped" : (error as Error).message.replace(/\.$/, "");
    yield warning(run, `The test split was not evaluated: ${why}. Try again with: rfdetr-train resume ${dir}`);
  }
}

async function* recordTest(run: Tested, row: TestRow): AsyncGenerator<TrainEvent, void, undefined> {
  yield await record(run, row);
  await recordResults(run);
}

/** The record of a run's test, whether it is of the weights that are the best now, and whether metrics.jsonl has its row. */
export async function testedSoFar(
  dir: string,
): Promise<{ record: TestRecord | null; isCurrent: boolean; hasRow: boolean }> {
  const found = await readTestRecord(dir);
  if (!found) return { record: null, isCurrent: false, hasRow: false };
  const rows = await readMetrics(runFiles(dir).metrics);
  return {
    record: found,
    isCurrent: (await sha256File(await weightsAt(dir))) === found.weights.sha256,
    hasRow: rows.some((row) => row.split === "test" && row.best_step === found.step),
  };
}

/** The best weights as any program would use them, in the precision of the run. */
async function evaluated(
  { dir, recipe, progress }: Pick<Tested, "dir" | "recipe" | "progress">,
  { split, classes }: TestImages,
  { evaluations, signal }: { evaluations: number; signal: AbortSignal | undefined },
): Promise<TestRecord> {
  signal?.throwIfAborted();
  const file = await weightsAt(dir);
  const size = recipe.eval.batch_size ?? batchSize(recipe);
  const detector = await openDetector(file, {
    ...{ device: recipe.device, recipe, ...comingBatches(split, size) },
    precision: recipe.train.amp_dtype === "bf16" ? "bf16" : "none",
  });
  try {
    const { evaluation } = await evaluateSplit(detector, split, {
      ...{ classes, batchSize: size, maxDets: recipe.eval.max_dets },
      ...{ workers: recipe.data.workers, mostBroken: recipe.data.max_broken },
      onImages: () => signal?.throwIfAborted(),
    });
    const { step, epoch } = (await checkpointInfo(dirname(file))) ?? progress;
    const { images, broken } = evaluation;
    return {
      ...{ format: 1, step, epoch, weights: { sha256: await sha256File(file) }, images, unread: broken.length },
      ...recordedMetrics(evaluation),
      ...pointOn(detector.operatingPoint, evaluation, classes),
      ...{ evaluations, evaluated: new Date().toISOString() },
    };
  } finally {
    await detector.close();
  }
}

function pointOn(
  point: OperatingPoint | undefined,
  { counts, images }: Evaluation,
  classes: TestImages["classes"],
): Pick<TestRecord, "operatingPoint" | "measured" | "confirmation"> {
  const nothing = { precision: null, recall: null };
  if (!point) return { operatingPoint: null, measured: nothing, confirmation: nothing };
  const measured = measureAt(point, counts, classes);
  return { operatingPoint: point, measured, confirmation: confirm(point, measured, images) };
}

function rowOf(
  at: { step: number; epoch: number },
  { step: best_step, evaluated: time, unread, metrics, perClass, measured }: TestRecord,
): TestRow {
  const { precision, recall } = measured;
  const { APs = null, APm = null, APl = null } = metrics;
  const classes = PREFIXES.filter((prefix) => metrics[`${prefix}${MAIN_METRIC}`] !== undefined).map((prefix) => {
    const key = `${prefix}${MAIN_METRIC}` as "AP50:95";
    return [`${prefix}per_class`, Object.fromEntries(perClass.map((one) => [one.name, one[key]]))];
  });
  return {
    ...{ ...at, split: "test", time, best_step, ...(unread > 0 && { unread }) },
    ...bySummary((name) => metrics[name] ?? null),
    ...{ APs, APm, APl, F1: f1Of(measured), precision, recall },
    ...(Object.fromEntries(classes) as Pick<TestRow, "per_class">),
  };
}

/** What a test came to, for people. */
function describeTestRecord({ confirmation, images, evaluations }: TestRecord): string[] {
  const said = describeConfirmation(confirmation).map((text) => text.charAt(0).toUpperCase() + text.slice(1));
  const times = `This run has now looked at its ${images} test images ${evaluations} times: the more often, the less they say of new ones`;
  return [...said, ...(evaluations > 1 ? [times] : [])].map((text) => `${text}.`);
}
