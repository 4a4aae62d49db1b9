// What a run shows of itself besides its rows. Trouble with it never stops the training: it is told once.

import type { Evaluation } from "../eval/evaluate.ts";
import type { TrackedPicture } from "../track/tracker.ts";
import { recordEvaluation } from "./evaluationRecord.ts";
import type { TrainEvent, ValRow } from "./events.ts";
import { logged } from "./record.ts";
import type { Run } from "./run.ts";

/** Keep what lies behind an evaluation's row: evaluation.json and pictures, which are returned. */
export async function* keepEvaluation(
  run: Run,
  row: ValRow,
  evaluation: Evaluation,
): AsyncGenerator<TrainEvent, TrackedPicture[], undefined> {
  try {
    return await recordEvaluation(run, row, evaluation);
  } catch (error) {
    yield* warnOnce(run, "The details of the evaluation could not be kept", error);
    return [];
  }
}

/** What a run has been warned of already. */
const told = new WeakMap<Run, Set<string>>();

function* warnOnce(run: Run, what: string, error: unknown): Generator<TrainEvent, void, undefined> {
  const already = told.get(run) ?? new Set();
  if (already.has(what)) return;
  told.set(run, already.add(what));
  yield logged(run, `${what}: ${error instanceof Error ? error.message : String(error)} The training goes on.`);
}
