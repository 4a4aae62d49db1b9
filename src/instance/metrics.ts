// The names of metrics, as data: what is compared of objects, and which numbers sum an evaluation up.

/** A kind of thing by which detections are compared with objects; its metrics carry its prefix. */
type Kind = { prefix: string; summary: readonly string[] };

/** Boxes, for now; masks and keypoints get a line of their own. */
const KINDS = {
  box: { prefix: "", summary: ["AP50:95", "AP50", "AP75", "AR"] },
} as const satisfies Record<string, Kind>;

/** Numbers of an evaluation as a whole and of each class, in the order in which people see them. */
export const SUMMARY = KINDS.box.summary;
export type SummaryMetric = (typeof SUMMARY)[number];

/** The one number for an evaluation, and the default by which the best is chosen. */
export const MAIN_METRIC = SUMMARY[0];

/** Numbers by the names of the summary. */
export function bySummary<Value>(value: (name: SummaryMetric) => Value): Record<SummaryMetric, Value> {
  return Object.fromEntries(SUMMARY.map((name) => [name, value(name)])) as Record<SummaryMetric, Value>;
}

/** COCO says -1 where there was nothing to measure; rows and records say null. */
export function measured(value: unknown): number | null {
  return typeof value === "number" && value >= 0 ? value : null;
}
