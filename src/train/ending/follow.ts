// A run from its first step to its end, whatever the end is: rows go to whoever asked for them, and what was trained is saved.

import { setTimeout as sleep } from "node:timers/promises";
import { listCheckpoints } from "../../checkpoint/store/store.ts";
import type { Workers } from "../../distributed/workers.ts";
import type { EndStatus, MetricsRow, TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { UserError } from "../../util/errors.ts";
import { orGivenUp } from "../../util/threads/giveUp.ts";
import type { Run } from "../liveRun.ts";
import { loop } from "../loop.ts";
import { closeParts } from "../parts.ts";
import { warning } from "../record/record.ts";
import { reportRun } from "../record/report.ts";
import { saveProgress } from "../record/saving.ts";

export type TrainOptions = {
  /** Who trains together (`joinWorkers`); default: this process alone. */
  workers?: Workers | undefined;
  /** Stops the run after the step that is under way, with a checkpoint. */
  signal?: AbortSignal | undefined;
  /**
   * Gives up what is under way, such as a step, an evaluation or an upload, at its next pause, and stops the run with a checkpoint of
   * the last finished step.
   */
  giveUp?: AbortSignal | undefined;
  /** Where `asked` is set, a checkpoint is made after the step that is under way, and the run goes on. */
  save?: { asked: boolean } | undefined;
  /** Called with everything that happens, rows included. */
  onEvent?: ((event: TrainEvent) => void) | undefined;
};

/** How long an end that was given up waits for what other programs show of the run. */
const CLOSE_MS = 1000;

/** Run the loop, pass its events on, yield its rows, and close everything in the end, whatever the end is. */
export async function* follow(
  run: Run,
  { signal, giveUp, save, onEvent }: TrainOptions,
  begin?: Promise<TrainEvent>,
): AsyncGenerator<MetricsRow, void, undefined> {
  let status: EndStatus | "failed" = "failed";
  try {
    await begin;
    const unheld = await run.reserve.hold(); // from the first step on
    if (unheld !== undefined && !(await run.reserve.fits())) throw new UserError(unheld); // nor would the next checkpoint fit
    const { step } = run.progress;
    const facts = [...run.facts, await run.reserve.fact()];
    run.log.info(step === 0 ? "started" : "resumed", { step, facts, size: run.size });
    onEvent?.({ type: "start", run: run.dir, facts, size: { ...run.size, stepsDone: step } });
    if (unheld !== undefined) onEvent?.(warning(run, unheld));
    try {
      for await (const event of loop(run, { signal, giveUp, save })) {
        if (event.type === "end") status = event.status;
        onEvent?.(event);
        if (event.type === "row") yield event.row;
      }
      run.workers.sum([0]); // the others wait for what the first one still writes: a worker that ends is missed
    } catch (error) {
      if (!giveUp?.aborted || error !== giveUp.reason) throw error;
      const saved = await saveRest(run);
      if (saved) onEvent?.(saved);
      onEvent?.(run.end("interrupted"));
      status = "interrupted";
    }
  } catch (error) {
    run.log.error("failed", { error });
    const saved = await saveRest(run).catch(() => undefined); // what went wrong first is what counts
    if (saved) onEvent?.(saved);
    if (run.workers.isFirst) await reportRun(run.dir).catch(() => {});
    throw await withWayOn(error, run);
  } finally {
    await run.reserve.release();
    await run.metrics.close();
    const closing = run.tracker.close(status);
    await orGivenUp(closing, giveUp).catch(() => Promise.race([closing, sleep(CLOSE_MS)]));
    await closeParts(run);
    run.log.close();
  }
}

/** What a signal would save: the steps since the last checkpoint. Undefined where there are none. */
async function saveRest(run: Run): Promise<TrainEvent | undefined> {
  if (!run.workers.isFirst) return undefined;
  const { step, epoch } = run.progress;
  if (step <= ((await lastSaved(run.dir)) ?? step)) return undefined;
  return saveProgress(run, { epoch, epochEnd: false, score: null });
}

/** The step of the newest checkpoint. */
async function lastSaved(dir: string): Promise<number | undefined> {
  return (await listCheckpoints(runFiles(dir).checkpoints)).at(-1)?.step;
}

/** The error, with how the run goes on where a person has corrected what it says, and what no checkpoint could be made of. */
async function withWayOn(error: unknown, { dir, progress: { step } }: Run): Promise<unknown> {
  if (!(error instanceof UserError) || step === 0 || error.code === "diverged") return error;
  const { message, hint, code } = error;
  const saved = await lastSaved(dir);
  if (saved === undefined) return error;
  const lost = saved < step ? ` (steps after it could not be saved; the last one was ${step})` : "";
  const way = `Then go on from step ${saved}${lost} with: rfdetr-train resume ${dir}`;
  return new UserError(message, {
    hint: hint === undefined ? way : `${hint} ${way}`,
    cause: error,
    ...(code && { code }),
  });
}
