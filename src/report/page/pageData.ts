// What a page hands to its charts (charts/*.ts) as JSON: the names and types that both sides share.

import type { ClassMetrics, SummaryMetric } from "../../instance/metrics.ts";
import type { PictureBrowser } from "../../run/records/browser.ts";
import type { FixedPictures } from "../../run/records/fixedPictures.ts";
import type { RunContents } from "../../run/runFolder.ts";
import type { Difference } from "../comparison.ts";
import type { RunSeries, Series } from "../series.ts";

/** The chart of a term of the loss, `loss-ce` of the columns `loss_ce`, `loss_ce_0` ... */
export type LossChart = `loss-${string}`;

/** Charts of one run. */
export type RunChart =
  | "ap"
  | "ap-masks"
  | "ap-sizes"
  | "found"
  | "loss"
  | "epoch-loss"
  | LossChart
  | "learning-rate"
  | "grad-norm"
  | "speed"
  | "wait"
  | "class-curves"
  | EvaluationChart;

/** Charts of one evaluation of a run. */
export type EvaluationChart = "per-class" | "confusion" | "precision-recall" | "f1";

/** Charts of a comparison of two runs. */
export type ComparisonChart = "both-ap" | "both-loss" | "class-pairs";

/** A part of the training; `from` and `to` in epochs, `number` from 1. */
export type StageSpan = { number: number; from: number; to: number };

export type ShownEvaluation = Pick<
  NonNullable<RunContents["evaluation"]>,
  "threshold" | "f1Sweep" | "confusion" | "precisionRecall" | "perClass"
>;

/** Pictures to look through, and where they stand in the confusion matrix. */
export type BrowserData = PictureBrowser & {
  /** Of each row of the matrix that is shown, but the background: the places of its classes in `classes`. */
  rows: number[][];
  /** Whether all images of the evaluation are here. */
  complete: boolean;
};

/** The same few pictures at every evaluation. */
export type FixedData = Pick<FixedPictures, "classes" | "evaluations"> & {
  pictures: Omit<FixedPictures["pictures"][number], "imageId">[];
};

export type RunData = RunSeries & {
  browser: BrowserData | null;
  fixed: FixedData | null;
  /** None where their place on the axis is not known. */
  stages: readonly StageSpan[];
  evaluation: ShownEvaluation | null;
  /** The best evaluation: its place on the axis, its main metric. */
  best: { x: number; y: number } | null;
};

export type ComparisonData = {
  /** Two runs, each with columns of its own. */
  runs: readonly { name: string; train: Series; val: Series }[];
  /** The main metric by class. */
  classes: readonly Difference[];
};

/** Names of metrics, as all rows and columns have them. `lenient`: what classes show beside the main one. */
export type ShownMetrics = ClassMetrics & { summary: readonly SummaryMetric[] };

export type PageData = {
  /** Of all curves over a run: in what they count, and the end of the longest. */
  unit: "epoch" | "step";
  end: number;
  metrics: ShownMetrics;
  run?: RunData;
  comparison?: ComparisonData;
  /** Of a page that is served: where what changes comes from, after which revision. */
  live?: { base: string; from: number };
};
