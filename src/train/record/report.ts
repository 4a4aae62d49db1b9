// What a run shows of itself besides its rows: details of evaluations, report.html. Trouble with it never stops the training.

import { describePoint } from "../../instance/operating/words.ts";
import { recipeDefaults } from "../../report/recipeDefaults.ts";
import { REPORT_EVERY } from "../../report/runPage.ts";
import { writeReport } from "../../report/writeReport.ts";
import type { EndStatus, TrainEvent, ValRow } from "../../run/events.ts";
import { readRunFolder } from "../../run/runFolder.ts";
import { factLine } from "../../util/text/fact.ts";
import { testRun } from "../ending/testSplit.ts";
import type { Run } from "../liveRun.ts";
import { recordFixed } from "../seen/fixedPictures.ts";
import { leaveStage } from "../stages/stageChange.ts";
import { recordEvaluation, type ValEvaluation } from "./evaluationRecord.ts";
import { notice, warning, warnOnce } from "./record.ts";
import { exportRun } from "./runExport.ts";

/** What a report needs of its run. */
type Reported = Pick<Run, "dir" | "log">;

/** Keep what lies behind an evaluation's row, show its pictures wherever the run is shown, and write the report again. */
export async function* keepEvaluation(
  run: Reported & Pick<Run, "tracker"> & Parameters<typeof recordEvaluation>[0],
  row: ValRow,
  evaluation: ValEvaluation,
): AsyncGenerator<TrainEvent, void, undefined> {
  try {
    const pictures = await recordEvaluation(run, row, evaluation);
    run.tracker.pictures(row, [...pictures, ...(await recordFixed(run, row, evaluation))]);
  } catch (error) {
    yield* failed(run, "The details of the evaluation could not be kept", error);
  }
  yield* keepReport(run, { live: true });
}

/** When each run's report was written last, in milliseconds. */
const written = new WeakMap<Reported, number>();

/** Write the report after the first step, and then once a minute: whoever has it open sees the run go on. */
export async function* followRun(run: Reported): AsyncGenerator<TrainEvent, void, undefined> {
  const last = written.get(run);
  if (last === undefined || performance.now() - last >= 1000 * REPORT_EVERY) yield* keepReport(run, { live: true });
}

/** The end of a run: the cost of its last stage, the operating point and the test of its best weights, the ONNX file, the report, then the last event. */
export async function* conclude(
  run: Run,
  status: EndStatus,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrainEvent, void, undefined> {
  yield* leaveStage(run);
  for (const fact of run.shown(run.progress.step * run.size.imagesPerStep)) yield notice(run, factLine(fact));
  if (status === "done") {
    yield* sayPoint(run);
    if (run.testImages) yield* testRun(run, run.testImages, { signal });
    const pictures = { split: run.valSplit, classes: run.classes, source: "the run's validation images" };
    for await (const event of exportRun(run.dir, run.recipe, { signal, pictures })) {
      const log = event.type === "notice" ? notice : warning;
      yield { ...log(run, event.message), ...event };
    }
  }
  const end = run.end(status); // the log says how it ended, and the report reads the log
  yield* keepReport(run, { live: false });
  yield end;
}

/** From which scores the detections of the best weights count, and what to expect of other images. */
async function* sayPoint(run: Reported): AsyncGenerator<TrainEvent, void, undefined> {
  try {
    const { best, evaluation } = await readRunFolder(run.dir);
    if (evaluation?.operatingPoint && evaluation.step === best?.step)
      yield notice(run, `${describePoint(evaluation.operatingPoint)}.`);
  } catch (error) {
    yield* failed(run, "The operating point could not be read", error);
  }
}

async function* keepReport(run: Reported, { live }: { live: boolean }): AsyncGenerator<TrainEvent, void, undefined> {
  written.set(run, performance.now());
  try {
    await reportRun(run.dir, { live });
  } catch (error) {
    yield* failed(run, "report.html could not be written", error);
  }
}

/**
 * Write report.html of a run folder again, and return its path. `live`: a browser that shows it reads it again each minute.
 * Throws a UserError where the folder is no run.
 */
export async function reportRun(dir: string, { live = false }: { live?: boolean } = {}): Promise<string> {
  return writeReport(dir, { defaults: await recipeDefaults(dir), live });
}

function* failed(run: Reported, what: string, error: unknown): Generator<TrainEvent, void, undefined> {
  const why = error instanceof Error ? error.message : String(error);
  yield* warnOnce(run, what, `${what}; the training goes on. ${why}`);
}
