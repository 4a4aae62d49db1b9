// Which suspects are faults that were planted, and how many of these are found by so many suspects.

import { boxIou, type CocoBox } from "../../../src/instance/boxes.ts";
import type { SuspectRecord } from "../../../src/report/suspects/suspectsRecord.ts";
import { type Fault, PLANTED_KINDS } from "./plant.ts";

/** What was found at a missing label has so much in common with it, at least. */
const SAME = 0.5;

/** The fault that a suspect names, kind and all; null where it is none. */
export function faultOf(suspect: SuspectRecord, faults: readonly Fault[]): Fault | null {
  const { kind, image_id, label, other, found } = suspect;
  const own = faults.filter((fault) => fault.kind === kind && fault.imageId === image_id);
  if (kind === "missing") return own.find(({ was: { box: [x1, y1, x2, y2] } }) => boxIou([x1, y1, x2 - x1, y2 - y1] as CocoBox, found!.bbox) >= SAME) ?? null; // biome-ignore format: one line
  return own.find(({ annotationId }) => annotationId === label!.id || annotationId === other?.id) ?? null;
}

/** Rows of a table: precision in the first 50, and the share of the faults that are in as many suspects as there are faults, in twice as many, in all. */
export function judgedRows(suspects: readonly SuspectRecord[], faults: readonly Fault[]): string[][] {
  const kinds = PLANTED_KINDS.filter((kind) => faults.some((fault) => fault.kind === kind));
  const row = (name: string, some: readonly SuspectRecord[], all: readonly Fault[]) => {
    const named = some.map((suspect) => faultOf(suspect, all));
    const first = named.slice(0, 50);
    const recall = (most: number) => new Set(named.slice(0, most).filter((fault) => fault !== null)).size / all.length;
    const precision = first.filter((fault) => fault !== null).length / Math.max(1, first.length);
    const shares = [precision, recall(all.length), recall(2 * all.length), recall(some.length)];
    return [name, String(all.length), ...shares.map((share) => share.toFixed(2)), String(some.length)];
  };
  return [
    ["kind", "planted", "precision in the first 50", "recall in as many", "in twice as many", "in all", "suspects"],
    row("all", suspects, faults),
    ...kinds.map((kind) => {
      const of = <One extends { kind: string }>(list: readonly One[]) => list.filter((one) => one.kind === kind);
      return row(kind, of(suspects), of(faults));
    }),
  ];
}

/** Rows of a table: how many suspects of each score there are, and how many of them were planted. */
export function rowsByScore(suspects: readonly SuspectRecord[], faults: readonly Fault[]): string[][] {
  const rows = [[1, 0.8], [0.8, 0.6], [0.6, 0.4], [0.4, 0.3], [0.3, 0.2], [0.2, 0.1]].map(([to, from]) => {
    const some = suspects.filter(({ score }) => score >= from! && (score < to! || to === 1));
    const planted = some.filter((suspect) => faultOf(suspect, faults)).length;
    return [`${from} to ${to}`, String(some.length), some.length === 0 ? "-" : (planted / some.length).toFixed(2)];
  }); // biome-ignore format: one line
  return [["score", "suspects", "of these planted"], ...rows];
}
