// The table of what detections can be compared by with objects: a metric that people see has its name from here.

/** A kind of comparison. Its metrics' names begin with `prefix`; `summary` sums an evaluation up, the most telling number first. */
export type Kind = { prefix: string; summary: readonly string[] };

/** Boxes come first; masks have the reference's word for them. */
export const KINDS = {
  box: { prefix: "", summary: ["AP50:95", "AP50", "AP75", "AR"] },
  segm: { prefix: "segm ", summary: ["AP50:95", "AP50", "AP75", "AR"] },
} as const satisfies Record<string, Kind>;
