// The names of metrics, made of the table of their kinds: which numbers sum an evaluation up, and which one chooses.

import { KINDS } from "./metricKinds.ts";

type Named<One> = One extends { prefix: infer P extends string; summary: readonly (infer N extends string)[] }
  ? `${P}${N}`
  : never;

/** What COCO's evaluation measures of one kind, under its own names. */
type CocoMetric = (typeof KINDS.box.summary)[number];

export type SummaryMetric = Named<(typeof KINDS)[keyof typeof KINDS]>;

/** Numbers by the names of the summary; those of other kinds than boxes may not have been measured. */
export type MetricSummary<Value> = Record<CocoMetric, Value> & Partial<Record<SummaryMetric, Value>>;

/** Numbers of an evaluation as a whole and of each class, in the order in which people see them. */
export const SUMMARY = Object.values(KINDS).flatMap(({ prefix, summary }) =>
  summary.map((name) => `${prefix}${name}` as SummaryMetric),
);

/** Of boxes by size, and at the threshold of the best F1: what rows of evaluations have beside the summary. */
export const FURTHER_METRICS = ["APs", "APm", "APl", "F1", "precision", "recall"] as const;

/** The one number for an evaluation, and the default by which the best is chosen; and its most lenient form. */
export const MAIN_METRIC = KINDS.box.summary[0];
const LENIENT_METRIC = KINDS.box.summary[1];

/** The number by which the best segmenter is chosen. */
export const MASK_METRIC = `${KINDS.segm.prefix}${KINDS.segm.summary[0]}` as const;

/** The numbers that pages show of each class, and where a row has the first of them by class. */
export type ClassMetrics = { main: SummaryMetric; lenient: SummaryMetric; perClass: string };

/** Those of masks where these metrics have them, else those of boxes. */
export function classMetrics(summary: readonly SummaryMetric[]): ClassMetrics {
  const { prefix } = summary.includes(MASK_METRIC) ? KINDS.segm : KINDS.box;
  return { main: `${prefix}${MAIN_METRIC}`, lenient: `${prefix}${LENIENT_METRIC}`, perClass: `${prefix}per_class` };
}

/** What the names of each kind's metrics begin with. */
export const PREFIXES: readonly string[] = Object.values(KINDS).map(({ prefix }) => prefix);

/** Numbers by the names of the summary; those of other kinds than boxes where there is a number. */
export function bySummary<Value>(value: (name: SummaryMetric) => Value): MetricSummary<Value> {
  const all = SUMMARY.map((name) => [name, value(name)] as const);
  return Object.fromEntries(all.filter(([name, one]) => isOfBoxes(name) || one != null)) as MetricSummary<Value>;
}

/** The names of the summary that some rows have numbers of; those of boxes always. */
export function measuredSummary(rows: readonly Partial<Record<SummaryMetric, unknown>>[]): SummaryMetric[] {
  return SUMMARY.filter((name) => isOfBoxes(name) || rows.some((row) => typeof row[name] === "number"));
}

function isOfBoxes(name: string): boolean {
  return (KINDS.box.summary as readonly string[]).includes(name);
}

/**
 * Where a metric of one class lies in an evaluation's row: "AP:tree" is the main metric of the class "tree", under
 * `per_class`; other kinds have both with their prefix. Undefined for a metric of all classes.
 */
export function classMetric(metric: string): { key: string; name: string } | undefined {
  const prefix = PREFIXES.find((one) => metric.startsWith(`${one}AP:`));
  return prefix === undefined ? undefined : { key: `${prefix}per_class`, name: metric.slice(`${prefix}AP:`.length) };
}

/** COCO says -1 where there was nothing to measure; rows and records say null. */
export function measured(value: unknown): number | null {
  return typeof value === "number" && value >= 0 ? value : null;
}
