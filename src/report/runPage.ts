// The page of one run, from its folder.

import { classMetrics, measuredSummary, type SummaryMetric } from "../instance/metrics.ts";
import type { ValRow } from "../run/events.ts";
import type { SeenBatch } from "../run/records/batches.ts";
import type { PictureBrowser } from "../run/records/browser.ts";
import { type FixedPictures, withRows } from "../run/records/fixedPictures.ts";
import { type Pictures, type RunContents, runTitle } from "../run/runFolder.ts";
import type { RunStatus } from "../run/runLog.ts";
import { classOfMetric, selection } from "../run/selection.ts";
import { browserData } from "./errors/browserSection.ts";
import { evaluationSections } from "./evaluationSections.ts";
import { exportSection } from "./exportSection.ts";
import { mostConfused } from "./mostConfused.ts";
import { type Html, html } from "./page/html.ts";
import { page, type Section } from "./page/page.ts";
import type { RunData, ShownEvaluation } from "./page/pageData.ts";
import { batchSection } from "./pictures/batchSection.ts";
import { fixedData, fixedSection } from "./pictures/fixedSection.ts";
import { type RunSeries, runSeries } from "./series.ts";
import { setupSections } from "./setupSections.ts";
import { testSection } from "./testSplit/testSection.ts";
import { duration, moment, plural, score } from "./text.ts";
import { recipeStages, trainingSections } from "./trainingSections.ts";

export type PageOptions = { defaults?: Record<string, unknown> | undefined; live?: boolean };

/** What a page shows beside the contents of a run: files' bytes, and the pictures to look through. */
export type RunPictures = { pictures: Pictures; browser?: PictureBrowser | null; fixed?: FixedPictures | null };

/** All that is on a run's page, in the parts that a page which follows its run is given again where they change. */
export type RunParts = Omit<Parameters<typeof page>[0], "refresh" | "live">;

/** What is made of some values; what was made of the same ones before may come again. */
export type Once = <Made>(name: string, of: readonly unknown[], make: () => Made) => Made;

/** Seconds from one report of a run that goes on to the next. */
export const REPORT_EVERY = 60;

/**
 * The page's text. `defaults`: the recipe as it would be if the person had given nothing, where that is known. `live`: it will
 * be written again, and a browser that shows it follows.
 */
export async function runPage(
  run: RunContents,
  { defaults, live = false, ...pictures }: RunPictures & PageOptions,
): Promise<string> {
  return page({ ...runParts(run, pictures, { defaults }), refresh: live ? REPORT_EVERY : undefined });
}

/** The parts of a run's page. `follows`: whether the page is given what changes, so that nobody has to read it again. */
export function runParts(
  run: RunContents,
  { pictures, browser = null, fixed: recorded = null }: RunPictures,
  {
    defaults,
    follows = false,
    once = (_name, _of, make) => make(),
  }: Pick<PageOptions, "defaults"> & { follows?: boolean; once?: Once } = {},
): RunParts {
  const { rows, log, evaluation, firstBatch, lastBatch, exported, best } = run;
  const val = rows.filter((row) => row.split === "val");
  const summary = measuredSummary(val);
  const { main, perClass } = classMetrics(summary);
  const series = runSeries(rows, { stepsPerEpoch: log.size?.stepsPerEpoch, perClass });
  const stages = series.unit === "epoch" ? recipeStages(run.recipe) : []; // else their place on the axis is not known
  const shown = once("evaluation", [evaluation, main], () => evaluation && shownEvaluation(evaluation, main));
  const found = once("browser", [evaluation, browser], () =>
    shown && evaluation && browser ? browserData(browser, { evaluation, shown: shown.confusion.classes }) : null,
  );
  const fixed = once("fixed", [recorded, val.length, val.at(-1)?.step], () => recorded && withRows(recorded, rows));
  const [progress, ...training] = trainingSections(run, { series, stages });
  const ofEvaluation = () =>
    shown && evaluation ? evaluationSections({ run, evaluation, perClass: shown.perClass, pictures, browser }) : [];
  return {
    title: `${runTitle(run)} · rfdetr-train`,
    header: header(run, { follows }),
    sections: [
      progress!,
      ...once("fixed pictures", [fixed], () => (fixed && fixed.pictures.length > 0 ? [fixedPart(fixed)] : [])),
      ...training,
      ...once("evaluation's parts", [evaluation, pictures, browser, val.length, best?.step], ofEvaluation),
      ...(run.test ? [{ id: "test", name: "Test split", content: testSection(run.test, run) }] : []),
      ...once("batches", [firstBatch, lastBatch], () => batchPart(firstBatch, lastBatch)),
      ...(exported.length > 0 ? [{ id: "export", name: "Export", content: exportSection(exported) }] : []),
      ...setupSections(run, { defaults }),
    ],
    summary,
    data: {
      unit: series.unit,
      end: Math.max(1e-9, series.train.x.at(-1) ?? 0, series.val.x.at(-1) ?? 0),
      run: {
        ...{ ...series, stages, evaluation: shown, best: bestPoint(run, { series, main }) },
        ...{ browser: found, fixed: once("fixed data", [fixed], () => fixed && fixedData(fixed)) },
      },
    },
  };
}

function fixedPart(fixed: FixedPictures): Section {
  return { id: "fixed", name: "Pictures over the run", content: fixedSection(fixed) };
}

function batchPart(first: SeenBatch | null, last: SeenBatch | null): Section[] {
  return first || last ? [{ id: "batch", name: "Batches", content: batchSection(first, last) }] : [];
}

/** What charts show of an evaluation, the best classes first. */
function shownEvaluation(
  { threshold, f1Sweep, confusion, precisionRecall, perClass }: NonNullable<RunContents["evaluation"]>,
  main: SummaryMetric,
): ShownEvaluation {
  const ranked = [...perClass].sort((a, b) => (b[main] ?? -1) - (a[main] ?? -1));
  return { threshold, f1Sweep, confusion: mostConfused(confusion), precisionRecall, perClass: ranked };
}

function bestPoint(
  { best }: RunContents,
  { series: { val }, main }: { series: RunSeries; main: SummaryMetric },
): RunData["best"] {
  const x = best ? val.x[val.step.indexOf(best.step)] : undefined;
  const y = best?.[main] ?? null;
  return x === undefined || y === null ? null : { x, y };
}

function header(run: RunContents, { follows }: { follows: boolean }): Html {
  const reload = "This page is made again after every evaluation; reload it to see more.";
  return html`<p class="eyebrow">Training run</p>
<h1>${runTitle(run)}</h1>
<p class="lead">${lead(run)}${run.log.status === "running" && !follows && html`<br>${reload}`}</p>
${run.missing && html`<p class="warning">${run.missing}</p>`}
${keyFigures(run)}`;
}

/** How a run stands, for people. */
export const STATUS_NAMES: Record<RunStatus, string> = {
  done: "Done",
  interrupted: "Stopped, resumable",
  "out-of-time": "Stopped at its time limit",
  failed: "Failed",
  running: "Running",
  gone: "Ended without a word",
};

/** "Done after 24 of 50 epochs, 528 steps, in 3 min; 2026-03-04 05:06 UTC." */
function lead({ log, rows, environment }: RunContents): string {
  const last = rows.at(-1);
  if (!last) return `${STATUS_NAMES[log.status]}. Nothing has been recorded yet.`;
  const epochs = log.size
    ? `${last.epoch + 1} of ${plural(log.size.epochs, "epoch")}`
    : plural(last.epoch + 1, "epoch");
  const time = log.seconds === null ? "" : ` in ${duration(log.seconds)}`;
  const when = log.last ?? environment?.started;
  const verb = log.status === "running" ? "in epoch" : "after";
  return `${STATUS_NAMES[log.status]} ${verb} ${epochs}, ${plural(last.step, "step")}${time}${when ? ` · ${moment(when)}` : ""}`;
}

type KeyFigure = { name: string; value: string; note?: string };

function keyFigures(run: RunContents): Html {
  const { best, metric, rows, evaluation, environment } = run;
  const last = rows.findLast((row): row is ValRow => row.split === "val");
  const row = best ?? last;
  const at = row ? `${best ? "best" : "last"}, epoch ${row.epoch + 1}` : "not evaluated yet";
  const ofClass =
    classOfMetric(metric) !== undefined && row
      ? [{ name: metric, value: score(selection(run.recipe).of(row)), note: at }]
      : [];
  const figures: KeyFigure[] = [
    ...ofClass,
    ...mainFirst(measuredSummary(row ? [row] : [])).map((name, i) => ({
      name,
      value: score(row?.[name]),
      ...(i === 0 && { note: at }),
    })),
    ...(evaluation
      ? [{ name: "F1", value: score(evaluation.f1.f1), note: `confidence ${evaluation.f1.threshold.toFixed(2)}` }]
      : []),
    ...(evaluation ? [{ name: "Images evaluated", value: evaluation.images.toLocaleString("en") }] : []),
    ...(environment ? [{ name: "Device", value: environment.device === "cpu" ? "CPU" : environment.device }] : []),
  ];
  return html`<dl class="figures">${figures.map(keyFigure)}</dl>`;
}

/** The numbers of masks before those of boxes, where there are any. */
function mainFirst(summary: readonly SummaryMetric[]): SummaryMetric[] {
  const from = Math.max(0, summary.indexOf(classMetrics(summary).main));
  return [...summary.slice(from), ...summary.slice(0, from)];
}

function keyFigure({ name, value, note }: KeyFigure, i: number): Html {
  return html`<div${i === 0 && html` class="main"`}><dt>${name}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`;
}
