// A worker that is not the first: it begins with what the first one has, and trains along; the run's folder is none of its business.

import type { Workers } from "../../distributed/workers.ts";
import type { EndStatus, MetricsRow } from "../../run/events.ts";
import { restoreLearner } from "../../step/learner.ts";
import { follow, type TrainOptions } from "../ending/follow.ts";
import { assemble } from "../parts.ts";
import { endOf } from "../progress.ts";
import { type Beginning, shareState } from "./beginning.ts";
import { SILENT } from "./silent.ts";

/** Train with the first worker, whose run is in `dir`. Yields rows as that one does, and throws what it throws of the data and the steps. */
export async function* trainAlong(
  dir: string,
  workers: Workers,
  options: TrainOptions,
): AsyncGenerator<MetricsRow, void, undefined> {
  const { signal, onEvent } = options;
  const beginning = workers.fromFirst<Beginning | null>(undefined);
  if (!beginning) return void workers.sum([0]); // the run is finished, but for what the first one does
  const { recipe, overfit, progress, goesOn, emaUpdates } = beginning;
  const parts = await assemble(recipe, { ...beginning, workers, epoch: progress.epoch, signal, ...(onEvent && { onEvent }) }); // biome-ignore format: one line
  if (goesOn) restoreLearner(parts.learner, shareState(workers, undefined), emaUpdates);
  const began = performance.now();
  const end = (status: EndStatus) => endOf(status, { dir, recipe, ...progress });
  const seconds = () => (performance.now() - began) / 1000;
  yield* follow({ ...parts, ...SILENT, dir, recipe, progress, overfit, seconds, end }, options);
}
