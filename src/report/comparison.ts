// Two runs side by side: their best evaluations, their classes, and what differs in recipe and environment.

import { bySummary, classMetrics, measuredSummary, type SummaryMetric } from "../instance/metrics.ts";
import { isSameData } from "../run/environment.ts";
import type { RunContents } from "../run/runFolder.ts";
import { type KeyDifference, recipeDifference } from "./recipeDifference.ts";
import { classValues } from "./series.ts";

type ComparedRun = {
  dir: string;
  name: string;
  status: string;
  /** Epoch (from 0) and step of the best evaluation by the run's own metric. */
  best: { epoch: number; step: number; metric: string } | null;
};

/** `half`: the change plus and minus it is a 95 % interval; only where it is known. */
export type Difference = { name: string; a: number | null; b: number | null; change: number | null; half?: number };

/** How sure changes are, by the metrics' names, from so many images that both were evaluated on; or why that is not known. */
export type Uncertainty = { images: number; half: Record<string, number> } | { why: string };

export type RunComparison = {
  a: ComparedRun;
  b: ComparedRun;
  /** Of the best evaluation of each run. */
  metrics: Difference[];
  /** Of how many images the intervals are, or why there are none; null where nobody asked. */
  intervals: { images: number } | { why: string } | null;
  /** What was measured in both runs. */
  summary: SummaryMetric[];
  /** `class_metric` by class, largest change first: of masks where both runs have them, else of boxes. */
  classes: Difference[];
  class_metric: SummaryMetric;
  /** What the runs cost and how far they went. */
  training: Difference[];
  /** Keys whose values differ; the name of the run is left out. */
  recipe: KeyDifference[];
  environment: KeyDifference[];
  /** Why the metrics cannot be compared as they are. */
  caveats: string[];
};

export function compareRuns(a: RunContents, b: RunContents, uncertainty?: Uncertainty): RunComparison {
  const [one, two] = [metricsOf(a), metricsOf(b)];
  const half = uncertainty && "half" in uncertainty ? uncertainty.half : {};
  const summary = measuredIn(a).filter((name) => measuredIn(b).includes(name));
  const { main, perClass } = classMetrics(summary);
  const [classesOfA, classesOfB] = [classValues(a.best, perClass), classValues(b.best, perClass)];
  return {
    a: comparedRun(a),
    b: comparedRun(b),
    metrics: differences(one, two).map((row) => {
      return Object.hasOwn(half, row.name) && row.change !== null ? { ...row, half: half[row.name]! } : row;
    }),
    intervals: !uncertainty ? null : "why" in uncertainty ? uncertainty : { images: uncertainty.images },
    ...{ summary, class_metric: main },
    classes: differences(classesOfA, classesOfB).sort((x, y) => size(y) - size(x)),
    training: differences(trainingOf(a), trainingOf(b)),
    recipe: recipeDifference(a.recipe, b.recipe).filter(({ key }) => key !== "name"),
    environment: recipeDifference(environmentOf(a), environmentOf(b)),
    caveats: caveats(a, b),
  };
}

/** What a change says, for people: "no difference shown" where its interval holds none; empty without an interval. */
export function changeVerdict({ change, half }: Difference): string {
  if (change === null || half === undefined) return "";
  return Math.abs(change) <= half ? "no difference shown" : change > 0 ? "B is better" : "A is better";
}

/** For people, what the intervals are, or why there are none. */
export function describeIntervals(intervals: RunComparison["intervals"]): string {
  if (!intervals) return "";
  if ("why" in intervals) return `How sure the changes are is not known: ${intervals.why}.`;
  return `±: 95 % intervals, from the ${intervals.images} validation images of both (paired bootstrap). They are of these weights on other such images; another seed of the same recipe may change as much.`;
}

function comparedRun({ dir, name, log, best, metric }: RunContents): ComparedRun {
  return { dir, name, status: log.status, best: best && { epoch: best.epoch, step: best.step, metric } };
}

function measuredIn({ rows }: RunContents): SummaryMetric[] {
  return measuredSummary(rows.filter((row) => row.split === "val"));
}

type Values = Record<string, number | null | undefined>;

/** Of the best row; with the details of its evaluation, more of them. */
function metricsOf({ best, evaluation }: RunContents): Values {
  if (!best) return {};
  const more = evaluation?.step === best.step ? evaluation : null;
  return {
    ...bySummary((name) => best[name]),
    ...(more && { APs: more.metrics.APs, APm: more.metrics.APm, APl: more.metrics.APl, F1: more.f1.f1 }),
  };
}

function trainingOf({ rows, best, log }: RunContents): Values {
  const train = rows.filter((row) => row.split === "train");
  const end = train.slice(-Math.max(1, Math.round(train.length / 20)));
  const median = [...train.map((row) => row.images_per_second)].sort((x, y) => x - y)[train.length >> 1];
  const last = rows.at(-1);
  return {
    "best epoch": best && best.epoch + 1,
    epochs: last && last.epoch + 1,
    steps: last?.step,
    "loss at the end": end.length === 0 ? null : end.reduce((sum, { loss }) => sum + loss, 0) / end.length,
    "images a second": median,
    minutes: log.seconds === null ? null : log.seconds / 60,
  };
}

function differences(a: Values, b: Values): Difference[] {
  // "__proto__" is a name, too
  const own = (values: Values, name: string) => (Object.hasOwn(values, name) ? (values[name] ?? null) : null);
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) => {
    const [one, two] = [own(a, name), own(b, name)];
    if (one === null && two === null) return [];
    return [{ name, a: one, b: two, change: one === null || two === null ? null : two - one }];
  });
}

/** A change that is not known comes after all others. */
function size({ change }: Difference): number {
  return change === null ? -1 : Math.abs(change);
}

function environmentOf({ environment }: RunContents): Record<string, unknown> {
  if (!environment) return {};
  const { started: _, ...rest } = environment;
  return rest;
}

function caveats(a: RunContents, b: RunContents): string[] {
  const [one, two] = [a, b].map(({ environment }) => environment?.dataset);
  const limits = [a, b].map(({ recipe }) => (recipe.eval as { max_dets?: unknown } | undefined)?.max_dets);
  return [
    ...(one?.fingerprint !== undefined && two?.fingerprint !== undefined && !isSameData(one, two)
      ? ["The runs saw different data (their fingerprints differ), so their metrics may not be comparable."]
      : []),
    ...(limits[0] !== limits[1] ? ["The runs count a different number of detections an image (eval.max_dets)."] : []),
    ...[a, b].flatMap(({ missing }) => missing ?? []),
    ...[a, b].flatMap((run) => (run.best ? [] : [`${run.dir} has not been evaluated yet.`])),
    ...[a, b].flatMap((run) =>
      run.log.status === "running" || run.log.status === "gone"
        ? [`${run.dir} has not ended, as far as its log tells.`]
        : [],
    ),
  ];
}
