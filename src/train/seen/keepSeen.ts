// What a run keeps for people to see before each of its steps.

import type { Batch } from "../../loading/batch/batch.ts";
import type { TrainEvent } from "../../run/events.ts";
import type { Run } from "../liveRun.ts";
import { keepBatches } from "./batches.ts";
import { keepFixedPictures } from "./fixedPictures.ts";

/** Runs that have chosen their pictures. */
const chosen = new WeakSet<object>();

/** The validation pictures that evaluations will show, before the first step; batches, now and then. */
export async function* keepSeen(run: Run, batch: Batch): AsyncGenerator<TrainEvent, void, undefined> {
  if (!chosen.has(run)) yield* keepFixedPictures(run);
  chosen.add(run);
  yield* keepBatches(run, batch);
}
