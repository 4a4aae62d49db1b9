// A run that was recorded goes to W&B: all that the server lacks, under the run's own id, as often as one likes.

import { resolve } from "node:path";
import { runFiles } from "../../run/files.ts";
import { readMetrics } from "../../run/records/metricsFile.ts";
import { UserError } from "../../util/errors.ts";
import { TIMING, type WandbTiming } from "./client/timing.ts";
import { runIdentity } from "./folder/identity.ts";
import { lockHolder } from "./folder/lock.ts";
import { lastExitCode } from "./folder/outcome.ts";
import { historyRows } from "./folder/rows.ts";
import { recordedRun } from "./folder/runFolder.ts";
import type { UploadReport } from "./upload/messages.ts";
import { startUploadThread } from "./upload/thread.ts";

export type SyncOptions = {
  /** Where the run goes; default: what its recipe says. */
  project?: string | undefined;
  entity?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Takes what people should know on the way. */
  onNotice?: ((message: string, level: "info" | "warn") => void) | undefined;
  /** Called as rows arrive: of `total`, those that are there. */
  onProgress?: ((rows: number, total: number) => void) | undefined;
};

export type SyncResult = {
  /** Address of the run's page. */
  page: string;
  /** W&B's id of the run. */
  id: string;
  /** Rows that the run has, one a step, and how many of them were sent now. */
  rows: number;
  sent: number;
  /** Whether the run was marked as over. One that was killed is left open: it may go on. */
  ended: boolean;
};

/** A person waits here: what does not answer for two minutes is given up, and what never did after about 20 seconds. */
const SYNC_TIMING: WandbTiming = {
  ...TIMING,
  ...{ tellAfter: 10_000, giveUpAfter: 120_000, reachWithin: 20_000, longestDelay: 15_000 },
};

/**
 * Send what W&B lacks of the run in `dir`. Rejects with a UserError where W&B refuses or does not answer, and with the
 * signal's reason; what has arrived stays there, and the next call goes on behind it.
 */
export async function syncRun(
  dir: string,
  { project, entity, signal, onNotice, onProgress }: SyncOptions = {},
  timing: WandbTiming = SYNC_TIMING,
): Promise<SyncResult> {
  signal?.throwIfAborted();
  const history = historyRows(await readMetrics(runFiles(dir).metrics));
  const last = history.at(-1)?._step;
  if (last === undefined)
    throw new UserError(`The run ${dir} has no rows yet.`, { hint: "Train it for some steps first." });
  const { name, config, metric, from, pictures, started, ended, ...recorded } = await recordedRun(dir, {
    after: -1,
    through: last,
  });
  const wandb = { project: project ?? recorded.project, entity: entity || recorded.entity || null };
  if (!wandb.project)
    throw new UserError(`The recipe of ${dir} does not say which project at W&B it belongs to.`, {
      hint: "Name one with --project, or set track.wandb.project before training.",
    });
  const holder = await lockHolder(dir);
  if (holder !== undefined)
    throw new UserError(`Process ${holder} is sending the run ${dir} to W&B right now.`, {
      hint: "Wait until it is done. While a run is trained, its rows go there by themselves.",
    });
  const { id } = await runIdentity(dir);
  const exitCode = await lastExitCode(dir);

  let problem: Extract<UploadReport, { type: "off" }> | undefined;
  let there = 0;
  const hear = (report: UploadReport) => {
    if (report.type === "notice" && report.level !== "debug") onNotice?.(report.message, report.level);
    if (report.type === "silent") onNotice?.(report.message, "warn");
    if (report.type === "answers") onNotice?.(report.message, "info");
    if (report.type === "off") problem ??= report;
    if (report.type === "open") there = history.filter(({ _step }) => _step <= report.lastStep).length;
    if (report.type === "progress") onProgress?.(there + report.rows, history.length);
  };
  const settings = {
    dir: resolve(dir),
    name,
    config,
    metric,
    from,
    wandb,
    pictures,
    timing,
    times: { started, ended },
  };
  const thread = startUploadThread({ ...settings, mode: "replay", step: last }, hear);
  const stopped = new Promise<undefined>((done) =>
    signal?.addEventListener("abort", () => done(undefined), { once: true }),
  );
  try {
    thread.order({ type: "close", exitCode, goesOn: false });
    const closed = await Promise.race([thread.ended, stopped]);
    signal?.throwIfAborted();
    if (!closed || problem) {
      const hint = [problem?.hint, `What has arrived stays there. Go on with: rfdetr-train sync ${dir}`];
      throw new UserError(problem?.message ?? "The thread that speaks with W&B has ended.", {
        hint: hint.filter(Boolean).join(" "),
      });
    }
    if (!closed.sent)
      throw new UserError("W&B has all rows of this run, but not all pictures.", {
        hint: `Try the others again with: rfdetr-train sync ${dir}`,
      });
    return { page: closed.page!, id, rows: history.length, sent: closed.rows, ended: exitCode !== null };
  } finally {
    await thread.kill();
  }
}
