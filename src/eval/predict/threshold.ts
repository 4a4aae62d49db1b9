// The score from which detections count: the one that was asked for, else the one that the run itself found best.

import { dirname, join } from "node:path";
import { checkpointInfo } from "../../checkpoint/store/store.ts";
import type { ClassEntry } from "../../data/dataset/sample.ts";
import type { Detector } from "../../detector/detector.ts";
import { bestThreshold } from "../../run/records/evaluation.ts";

/** Where nothing says what is best. */
const DEFAULT_THRESHOLD = 0.5;

export type Threshold = {
  value: number;
  /** Who chose: the caller, the evaluation that belongs to the weights (its best F1), or nobody. */
  from: "given" | "run" | "default";
  /** By label, of the classes that have another. */
  own?: ReadonlyMap<number, number> | undefined;
};

/** The score from which detections with a label count. */
export function scoreFor({ value, own }: Threshold, label: number): number {
  return own?.get(label) ?? value;
}

/** The thresholds of the classes that have one of their own, by name. */
export function thresholdsByName({ own }: Threshold, classes: readonly ClassEntry[]): Record<string, number> {
  return Object.fromEntries(
    classes.flatMap(({ label, name }) => (own?.has(label) ? [[name, own.get(label)!] as const] : [])),
  );
}

/** The lowest score from which any detection counts. */
export function lowestScore({ value, own }: Threshold): number {
  return Math.min(value, ...(own?.values() ?? []));
}

/** What is used: `asked`, where it is a number, else what is recorded with the weights, else 0.5. */
export async function chooseThreshold(
  asked: number | "auto",
  {
    kind,
    file,
    threshold,
    operatingPoint,
  }: Pick<Detector, "kind" | "file" | "threshold"> & Partial<Pick<Detector, "operatingPoint">>,
): Promise<Threshold> {
  if (asked !== "auto") return { value: asked, from: "given" };
  const recorded = threshold ?? (kind === "onnx" ? undefined : await recordedThreshold(file));
  if (recorded === undefined) return { value: DEFAULT_THRESHOLD, from: "default" };
  const differing = (operatingPoint?.classes ?? []).flatMap(({ label, threshold: own }) =>
    own === null || own === recorded ? [] : [[label, own] as const],
  );
  return { value: recorded, from: "run", ...(differing.length > 0 && { own: new Map(differing) }) };
}

/** The threshold of the best F1 with these weights, which older ones do not say themselves, where `file` lies in a checkpoint of a run that has a record of it. */
export async function recordedThreshold(file: string): Promise<number | undefined> {
  const checkpoint = dirname(file);
  const info = await checkpointInfo(checkpoint);
  return info && bestThreshold(join(checkpoint, "..", ".."), info.step);
}
