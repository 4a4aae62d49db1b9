// A run at W&B while it is trained. All work is done by a thread that reads metrics.jsonl; here it is only told what happens.

import { setTimeout as sleep } from "node:timers/promises";
import { selection } from "../../run/selection.ts";
import type { Tracker, TrackerOptions } from "../tracker.ts";
import { modeOf } from "./client/credentials.ts";
import { TIMING, type WandbTiming } from "./client/timing.ts";
import { exitCodeOf } from "./folder/outcome.ts";
import type { UploadReport } from "./upload/messages.ts";
import { startUploadThread, type UploadThread } from "./upload/thread.ts";

export type WandbSettings = { project: string; entity: string | null; mode: "online" | "offline" };

/**
 * Show a run at W&B. Rows go there as the server takes them, and after a stop or a crash the same run goes on where the
 * server's history ends. Steps that it has are not sent again, though the run may do them again. Where it cannot be
 * reached, or `mode` or WANDB_MODE say "offline", the run waits in its folder for `rfdetr-train sync`.
 */
export function openWandb(options: TrackerOptions & { wandb: WandbSettings }, timing: WandbTiming = TIMING): Tracker {
  const { dir, step, wandb, onNotice } = options;
  const mode = modeOf(wandb.mode);
  if (mode === "disabled") return { row() {}, pictures() {}, histograms() {}, close: async () => {} };

  const notice = (message: string, level: "debug" | "info" | "warn") => {
    try {
      onNotice(message, level);
    } catch {} // what listens must not end a training, and its faults show elsewhere
  };
  let silent = false;
  const hear = (report: UploadReport) => {
    if (report.type === "silent" || report.type === "answers") {
      silent = report.type === "silent";
      notice(report.message, silent ? "warn" : "info");
    }
    if (report.type === "notice") notice(report.message, report.level);
    if (report.type === "off")
      notice(`${report.message} ${report.hint} Training goes on.`.replaceAll("  ", " "), "warn");
    if (report.type === "open") {
      notice(`W&B: ${report.page}`, "info");
      if (report.lastStep > step)
        notice(`W&B has this run up to step ${report.lastStep} already. Those steps are not sent again.`, "info");
    }
  };
  const start = () => {
    try {
      const { name, environment } = options;
      const { project, entity } = wandb;
      const plain = JSON.parse(JSON.stringify({ ...(options.recipe as object), environment })) as Record<
        string,
        unknown
      >;
      const { metric, from } = selection(plain);
      const settings = {
        dir,
        name,
        step,
        timing,
        config: plain,
        ...{ metric, from },
        wandb: { project, entity },
      };
      return startUploadThread({ ...settings, mode: mode === "online" ? "live" : "keep" }, hear);
    } catch (error) {
      notice(`The thread for W&B cannot be started: ${(error as Error).message}`, "warn");
      return undefined;
    }
  };
  let thread: UploadThread | undefined = mode === "online" ? start() : undefined;
  const waits = `This run waits to be sent to W&B. Send it with: rfdetr-train sync ${dir}`;

  return {
    row: ({ step }) => thread?.order({ type: "row", step }),
    pictures: ({ step }, pictures) => {
      thread ??= start(); // offline, a thread is needed for pictures only
      thread?.order({ type: "pictures", step, pictures });
    },
    histograms: ({ step }, histograms) => {
      if (mode === "online") thread?.order({ type: "histograms", step, histograms });
    },
    close: async (status) => {
      const goesOn = status === "interrupted" || status === "out-of-time";
      thread?.order({ type: "close", exitCode: exitCodeOf(status), goesOn });
      const timeIsUp = new AbortController();
      const pause = (ms: number) => sleep(ms, undefined, { signal: timeIsUp.signal }).catch(() => {});
      const late = async () => {
        await pause(timing.closeSilentWithin);
        if (!silent) await pause(timing.closeWithin - timing.closeSilentWithin);
        return undefined;
      };
      const closed = await Promise.race([thread?.ended, late()]);
      timeIsUp.abort();
      await thread?.kill();
      if (mode === "offline") notice(waits, "info");
      else if (!closed?.sent) notice(waits, "warn");
      else if (status === "done") notice(`W&B has the whole run: ${closed.page}`, "info");
    },
  };
}
