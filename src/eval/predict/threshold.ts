// The score from which detections count: the one that was asked for, else the one that the run itself found best.

import { dirname, join } from "node:path";
import { checkpointInfo } from "../../checkpoint/store/store.ts";
import type { Detector } from "../../detector/detector.ts";
import { bestThreshold } from "../../run/records/evaluation.ts";

/** Where nothing says what is best. */
const DEFAULT_THRESHOLD = 0.5;

export type Threshold = {
  value: number;
  /** Who chose: the caller, the evaluation that belongs to the weights (its best F1), or nobody. */
  from: "given" | "run" | "default";
};

/** What is used: `asked`, where it is a number, else what is recorded with the weights, else 0.5. */
export async function chooseThreshold(
  asked: number | "auto",
  { kind, file, threshold }: Pick<Detector, "kind" | "file" | "threshold">,
): Promise<Threshold> {
  if (asked !== "auto") return { value: asked, from: "given" };
  const recorded = kind === "onnx" ? threshold : await recordedThreshold(file);
  return recorded === undefined ? { value: DEFAULT_THRESHOLD, from: "default" } : { value: recorded, from: "run" };
}

/** The threshold of the best F1 with these weights, where `file` lies in a checkpoint of a run that has a record of it. */
export async function recordedThreshold(file: string): Promise<number | undefined> {
  const checkpoint = dirname(file);
  const info = await checkpointInfo(checkpoint);
  return info && bestThreshold(join(checkpoint, "..", ".."), info.step);
}
