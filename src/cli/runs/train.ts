// `rfdetr-train --recipe FILE`: trains, and draws what the run says about itself.

import type { CommandModule } from "yargs";
import type { Workers } from "../../distributed/workers.ts";
import { MAIN_METRIC, measuredSummary } from "../../instance/metrics.ts";
import type { MetricsRow, RunSize, TrainEvent, TrainRow } from "../../run/events.ts";
import { UserError } from "../../util/errors.ts";
import { factLine } from "../../util/text/fact.ts";
import {
  type AskedCluster,
  askedCluster,
  DEVICE_OPTION,
  JSON_OPTION,
  RECIPE_OPTION,
  requireCount,
  requireOnce,
  SET_OPTION,
  WORKERS_OPTIONS,
  type WorkersArguments,
} from "../options.ts";
import { answerAtOnce, giveUpSignal, STOPPED, stopSignal } from "../signals.ts";
import type { DownloadView } from "../terminal/downloadView.ts";
import type { ProgressView, ShownProgress, stepClock } from "../terminal/progress.ts";
import type { Level, TerminalLog } from "../terminal/terminalLog.ts";

type Arguments = {
  recipe?: string;
  set?: string[];
  run?: string;
  overfit?: number;
  device?: string;
  dryRun?: boolean;
  resume?: boolean;
  logLevel: Level;
  json: boolean;
} & WorkersArguments;

export const trainCommand: CommandModule<object, Arguments> = {
  command: ["$0", "train"],
  describe: "Train a recipe",
  builder: (yargs) =>
    yargs
      .option("recipe", RECIPE_OPTION)
      .option("set", SET_OPTION)
      .option("run", { type: "string", requiresArg: true, describe: "The run's folder [default: checkpoints/<name>]" })
      .option("overfit", {
        type: "number",
        requiresArg: true,
        describe: "Train and evaluate on the first N images only",
      })
      .option("dry-run", {
        type: "boolean",
        describe: "Try it all on a handful of images: step, checkpoint, resume, evaluation; nothing stays",
      })
      .option("device", { ...DEVICE_OPTION, default: undefined, describe: "Overrides the recipe's device" })
      .option("resume", {
        type: "boolean",
        describe: "Go on where the run's folder holds a run already, else begin: the same command can be started again",
      })
      .options(WORKERS_OPTIONS)
      .options(SHOWING) as never,
  handler: async ({ recipe: path, set = [], run, overfit, device, dryRun, resume, json, logLevel, ...others }) => {
    if (path === undefined)
      throw new UserError("Which recipe? --recipe FILE is missing.", {
        hint: "List the shipped recipes with: rfdetr-train recipes. All options: rfdetr-train --help",
      });
    requireOnce({ recipe: path, run, ...others });
    requireCount("overfit", overfit);
    const { loadRecipe } = await import("../../recipe/load.ts");
    const overrides = device ? [...set, `device=${device}`] : set;
    const recipe = await loadRecipe(path, { overrides });
    const together = askedCluster(others);
    if (dryRun) {
      if (together) throw new UserError("--dry-run tries a recipe with one worker: leave --workers out.");
      const { runDry } = await import("./dryRun.ts");
      await runDry(path, recipe, { overfit, overrides, json });
      return;
    }
    const { train, trainOrResume } = await import("../../train/run.ts");
    const begin = resume ? trainOrResume : train;
    await showProgress({ json, logLevel, together }, (options) => begin(recipe, { run, overfit, ...options }));
  },
};

/** How a training shows itself: options of all commands that train. */
export const SHOWING = {
  "log-level": {
    choices: ["debug", "info", "warn", "error"] as const,
    requiresArg: true,
    default: "info",
    describe: "Show what is at least this important",
  },
  json: { ...JSON_OPTION, describe: "Print the result as JSON, all else to stderr" },
} as const;

export type Showing = { json: boolean; logLevel?: Level | undefined };

/** With whom a training is done, if with anybody. */
type Together = { together?: AskedCluster | undefined };

type Follow = {
  signal: AbortSignal;
  giveUp: AbortSignal;
  save: { asked: boolean };
  onEvent: (event: TrainEvent) => void;
  workers?: Workers | undefined;
};

/** Run a training to its end, drawing its events; sets the exit code 3 where it was stopped. */
export async function showProgress(
  { json, logLevel, together }: Showing & Together,
  start: (options: Follow) => AsyncIterable<MetricsRow>,
): Promise<void> {
  const { progressView, stepClock: newClock } = await import("../terminal/progress.ts");
  const { downloadView } = await import("../terminal/downloadView.ts");
  const { terminalLog } = await import("../terminal/terminalLog.ts");
  const stream = json ? process.stderr : process.stdout;
  const view = progressView(stream);
  const colour = stream.isTTY && stream.hasColors();
  const log = terminalLog(view.print, { colour, ...(logLevel && { level: logLevel }) });
  const save = { asked: false };
  const signal = stopSignal("stopping after this step, with a checkpoint", (line) => log.info(line), {
    hangUp: () => {
      save.asked = true;
      log.info("SIGHUP: no terminal is attached, so the run goes on, after a checkpoint. Stop it with SIGTERM.");
    },
  });
  const giveUp = giveUpSignal("what is under way is given up, and the last finished step is saved");
  let hasBegun = false;
  giveUp.addEventListener("abort", () => hasBegun || process.exit(STOPPED)); // until then there is nothing to save
  await answerAtOnce();
  // another worker shows the run already, to whoever started both of them
  const quiet = (together?.cluster.rank ?? 0) > 0 && logLevel !== "info" && logLevel !== "debug";
  const show = shower({
    view: quiet ? { ...view, update: () => {} } : view,
    log,
    clock: newClock(),
    downloadOf: (name) => downloadView(stream, name),
  });
  let end: Extract<TrainEvent, { type: "end" }> | undefined;
  const evaluated: Partial<Record<MetricsRow["split"], MetricsRow>> = {};
  const onEvent = (event: TrainEvent) => {
    if (event.type === "start") hasBegun = true;
    if (event.type === "end") end = event;
    show(event);
  };
  let workers: Workers | undefined;
  try {
    if (together) {
      const { cluster, ...how } = together;
      log.info(`Waiting for ${cluster.workers.length} workers; this is worker ${cluster.rank} ...`);
      workers = await (await import("../../distributed/runtime.ts")).joinWorkers(cluster, how);
    }
    for await (const row of start({ signal, giveUp, save, onEvent, workers })) evaluated[row.split] = row;
  } catch (error) {
    workers?.abandon(error instanceof Error ? error.message : String(error));
    if (error !== signal.reason) throw error;
    process.exitCode = STOPPED; // stopped before there was anything to save, such as in a download
  } finally {
    view.stop();
  }
  const { val: metrics = null, test = null } = evaluated;
  if (json) process.stdout.write(`${JSON.stringify({ ...end, type: undefined, metrics, ...(test && { test }) })}\n`);
  if (end && end.status !== "done") process.exitCode = STOPPED;
}

/** Draws one event after the other. */
function shower({
  view,
  log,
  clock,
  downloadOf,
}: {
  view: ProgressView;
  log: TerminalLog;
  clock: ReturnType<typeof stepClock>;
  downloadOf: (name: string) => DownloadView;
}) {
  let size: RunSize | undefined;
  let ap: number | null = null;
  let download: DownloadView | undefined;
  return (event: TrainEvent): void => {
    switch (event.type) {
      case "start":
        size = event.size;
        for (const fact of event.facts) log.info(factLine(fact));
        log.info(`Run: ${event.run}`);
        clock.skip();
        break;
      case "download":
        download ??= downloadOf(event.name);
        download.progress(event.received, event.total);
        break;
      case "retry":
        download ??= downloadOf(event.name);
        download.retry(event.reason);
        break;
      case "step":
        if (size) view.update(progressOf(event.row, size, ap, clock.step(event.row.step, size.totalSteps)));
        break;
      case "row":
        if (event.row.split === "train") break;
        if (event.row.split === "val") ap = event.row[MAIN_METRIC];
        log.info(evaluationLine(event.row));
        clock.pause();
        break;
      case "warning":
        log.warn(event.message);
        break;
      case "notice":
        log.info(event.message);
        break;
      case "debug":
        log.debug(event.message);
        break;
      case "evaluating":
        log.info(
          `Evaluating ${event.images} ${event.split === "test" ? "images of the test split" : `images after epoch ${event.epoch + 1}`} ...`,
        );
        break;
      case "checkpoint":
        log.info(`Saved checkpoint ${event.name}${event.best ? ", the best so far" : ""}`, "the best so far");
        clock.pause();
        break;
      case "end":
        view.stop();
        log.info(endLine(event), bestText(event));
        if (event.status === "done" && size) log.info(nextSteps(event.run, size));
    }
  };
}

function progressOf(row: TrainRow, size: RunSize, ap: number | null, secondsLeft: number): ShownProgress {
  return {
    epoch: row.epoch + 1,
    epochs: size.epochs,
    step: row.step,
    steps: size.totalSteps,
    loss: row.loss,
    learningRate: row.lr,
    imagesPerSecond: row.images_per_second,
    dataWait: row.data_wait,
    memoryBytes: process.memoryUsage.rss(),
    secondsLeft,
    ap,
  };
}

function evaluationLine(row: Exclude<MetricsRow, TrainRow>): string {
  const metrics = measuredSummary([row]).map((name) => `${name} ${row[name]?.toFixed(3) ?? "-"}`);
  const what = row.split === "test" ? "Test split, best weights" : `Epoch ${row.epoch + 1}, step ${row.step}`;
  return `${what}: ${metrics.join("  ")}`;
}

type End = Extract<TrainEvent, { type: "end" }>;

function bestText({ best, metric }: End): string {
  return best === null ? "" : `best ${metric} ${best.toFixed(3)}`;
}

/** What people do after a training. */
function nextSteps(run: string, { epochs }: RunSize): string {
  return [
    "What next?",
    `  Open ${run}/report.html in a browser`,
    `  rfdetr-train predict --weights ${run} --images PHOTOS`,
    `  rfdetr-train extend ${run} --epochs ${2 * epochs}`,
  ].join("\n");
}

function endLine(end: End): string {
  const { status, run, step } = end;
  if (status === "interrupted") return `Stopped after step ${step}. Continue with: rfdetr-train resume ${run}`;
  if (status === "out-of-time")
    return `Stopped after step ${step}: train.max_hours are used up. Go on with: rfdetr-train extend ${run} --max-hours HOURS`;
  const best = bestText(end);
  return `Done after ${step} steps${best && `, ${best}`}. Everything is in ${run}`;
}
