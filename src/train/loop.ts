// The training loop. Everything that happens in a run happens here, in this order.

import type { OperatingPoint } from "../instance/operating/point.ts";
import type { Loader } from "../loading/batch/loader.ts";
import type { TrainEvent } from "../run/events.ts";
import { isBetter, selection } from "../run/selection.ts";
import { scheduleFactor } from "../step/optimiser/schedule.ts";
import { computeStep } from "../step/step.ts";
import { update } from "../step/update.ts";
import { windows } from "../step/windows.ts";
import { untilGivenUp } from "../util/threads/giveUp.ts";
import type { Run } from "./liveRun.ts";
import { countStep, NO_STEPS } from "./losses/epochMean.ts";
import { diverged, MOST_SKIPPED } from "./record/divergence.ts";
import { afterEvaluation, isExhausted } from "./record/earlyStopping.ts";
import { followRecorder, notice, reportBroken, trainRow, warning } from "./record/record.ts";
import { finished } from "./record/saving.ts";
import { partly, validate } from "./record/validate.ts";
import { enterStage } from "./stages/stageChange.ts";
import { agree } from "./workers/agree.ts";
import { keeperOf } from "./workers/keeper.ts";

type LoopOptions = {
  signal?: AbortSignal | undefined;
  giveUp?: AbortSignal | undefined;
  save?: { asked: boolean } | undefined;
};

/**
 * Train from where `run.progress` stands to the end, or until the signal; `run.progress` and the run's folder follow. Options: see
 * TrainOptions. Throws the reason of `giveUp`; the run then stands where its last finished step has left it.
 */
export async function* loop(run: Run, options: LoopOptions): AsyncGenerator<TrainEvent, void, undefined> {
  const { signal, giveUp, save } = options;
  const { progress, size, learner, recipe, staging } = run;
  const { train, eval: evaluation, checkpoint, track, early_stopping: stopping } = recipe;
  const chosenBy = selection(recipe);
  const keeper = keeperOf(run);

  while (finished(recipe, progress) === null) {
    const epoch = progress.epoch;
    yield* enterStage(run);
    const fromBatch = progress.unevaluated ? run.trainLoader.batches : progress.batch;
    const coming = until(giveUp, run.trainLoader).epoch(epoch, { fromBatch });

    for await (const window of windows(coming, run.ownBatches)) {
      const factor = scheduleFactor(run.schedule, progress.step, size) * staging.current.lrFactor;
      const { batches } = window;
      for (const { broken } of batches) yield* reportBroken(run, broken, "Another image takes its place.");
      yield* keeper.keepSeen(run, batches[0]!);
      staging.meter.begin();
      const result = await computeStep(learner, run.stepSettings, { batches, step: progress.step, giveUp });
      if (result.problem === null) await update(learner, result, { ...run.stepSettings, rateFactor: factor });
      result.dispose();
      run.trainLoader.recycle(batches);
      staging.meter.end();
      yield* followRecorder(run);
      progress.batch += train.grad_accum_steps;

      if (result.problem === null) {
        progress.step++;
        progress.skipped = 0;
        const last = progress.batch >= run.trainLoader.batches || progress.step >= size.totalSteps; // of the epoch
        const row = countStep(progress, trainRow(run, result, window, factor), { last });
        yield { type: "step", row };
        if (last || isDue(track.every_steps, progress.step)) yield await keeper.record(run, row, result.histograms);
        yield* keeper.followRun(run);
      } else {
        progress.skipped++;
        yield warning(run, `step ${progress.step + 1} was skipped: ${result.problem}`);
        if (progress.skipped > MOST_SKIPPED) throw await diverged(run, result.problem);
      }

      if (progress.step >= size.totalSteps) break;
      const wished = agree(run, { stop: signal?.aborted, save: save?.asked });
      if (wished.stop || wished.outOfTime) {
        yield await keeper.saveProgress(run, { epoch, epochEnd: false, score: null });
        yield* keeper.conclude(run, wished.stop ? "interrupted" : "out-of-time", signal);
        return;
      }
      if (isDue(checkpoint.every_steps, progress.step) || wished.save) {
        if (save) save.asked = false;
        yield await keeper.saveProgress(run, { epoch, epochEnd: false, score: null });
      }
    }

    const epochEnd = progress.batch >= run.trainLoader.batches;
    const last = progress.step >= size.totalSteps || epoch === train.epochs - 1;
    let [score, operatingPoint]: [number | null, OperatingPoint?] = [null];
    if (last || isDue(evaluation.every_epochs, epoch + 1)) {
      yield { type: "evaluating", epoch, images: run.valSplit.samples.length };
      if (last) progress.unevaluated = true;
      const { row, result } = await validate({ ...run, valLoader: until(giveUp, run.valLoader) }, epoch);
      [score, operatingPoint] = [chosenBy.of(row), result.operatingPoint];
      if (result.broken.length > 0) yield partly(run, result);
      yield await keeper.record(run, row);
      delete progress.unevaluated;
      yield* keeper.keepEvaluation(run, row, result);
      if (stopping !== "none" && epoch >= chosenBy.from)
        progress.patience = afterEvaluation(progress.patience, score, stopping.min_delta);
    }
    const stops = !last && isExhausted(recipe, progress.patience);
    const better = isBetter(score, progress.best);
    if (better) progress.best = { score: score!, step: progress.step };
    if (epochEnd) Object.assign(progress, { epoch: epoch + 1, batch: 0, epochSums: NO_STEPS });
    if (last || better || stops || isDue(checkpoint.every_epochs, epoch + 1))
      yield await keeper.saveProgress(run, { epoch, epochEnd, score, operatingPoint });
    await keeper.recordResults(run);
    if (stops) yield stoppedEarly(run);
  }
  yield* keeper.conclude(run, "done", signal);
}

function stoppedEarly(run: Run): TrainEvent {
  const { stale } = run.progress.patience;
  return notice(run, `Early stopping: ${selection(run.recipe).metric} has not improved in ${stale} evaluations`);
}

function isDue(every: number | null, count: number): boolean {
  return every !== null && count % every === 0;
}

/** A loader whose epochs end with the signal's reason. */
function until(giveUp: AbortSignal | undefined, loader: Loader): Loader {
  return { ...loader, epoch: (...which) => untilGivenUp(loader.epoch(...which), giveUp) };
}
