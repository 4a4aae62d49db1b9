// The test of a run that ended without it: it was killed, or stopped, while it was tested.

import { loadOwn } from "../../eval/data/asTrained.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { openLog } from "../../run/log.ts";
import { openMetricsFile } from "../../run/records/metricsFile.ts";
import { openRunFolder } from "../../run/runFolder.ts";
import type { Tracker } from "../../track/tracker.ts";
import { type Progress, progressOf } from "../progress.ts";
import { reportRun } from "../record/report.ts";
import { openTrackers } from "../record/trackers.ts";
import type { TrainOptions } from "./follow.ts";
import { testedSoFar, testImages, testRun } from "./testSplit.ts";

/** As `testRun`, for a finished run that is not under way. Its rows go to the trackers of its recipe, too. Throws as `loadOwn`. */
export async function* testMissing(
  dir: string,
  recipe: Recipe,
  state: Progress & { overfit: number | null },
  { signal, onEvent }: Pick<TrainOptions, "signal" | "onEvent">,
): AsyncGenerator<TrainEvent, void, undefined> {
  if (!recipe.eval.run_test || state.overfit !== null) return;
  const { isCurrent, hasRow } = await testedSoFar(dir);
  if (isCurrent && hasRow) return;
  const images = testImages(recipe, await loadOwn(dir, { require: [] }));
  if (!images) return;
  const environment = await (await openRunFolder(dir)).environment();
  const metrics = await openMetricsFile(runFiles(dir).metrics);
  const log = openLog(runFiles(dir).log);
  const run = { dir, recipe, progress: progressOf(state), metrics, log };
  const tracker = environment ? openTrackers({ ...run, environment }, onEvent) : NOWHERE;
  try {
    yield* testRun({ ...run, tracker }, images, { signal });
  } finally {
    await metrics.close();
    await tracker.close("done");
    log.close();
  }
  await reportRun(dir);
}

const NOWHERE: Tracker = { row() {}, pictures() {}, histograms() {}, close: async () => {} };
