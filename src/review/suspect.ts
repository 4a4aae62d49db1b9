// A suspected label: what is wrong with it, how sure that is, and what puts it right.

import type { Annotation, SplitName } from "../data/dataset/sample.ts";
import type { Instance } from "../instance/instance.ts";
import type { SuspectKind } from "../report/suspects/suspectsRecord.ts";

/** What a detector found: an object of the data set's classes with the confidence, xyxy in pixels. */
export type FoundObject = Pick<Instance, "label" | "box" | "mask"> & { score: number };

/** A picture's labels and what was found in it, best-scored first; labels and detections have the classes of the data set. */
export type ReviewedPicture = {
  split: SplitName;
  imageId: number;
  file: string;
  annotations: readonly Annotation[];
  found: readonly FoundObject[];
};

/**
 * A suspect; `score` from 0 to 1. `label`: its place among the picture's annotations, of a double the one to remove; `other`: of a double
 * the one that stays. `found`: the object to add, or the one that says class or place.
 */
export type Suspect = {
  kind: SuspectKind;
  score: number;
  picture: ReviewedPicture;
  label?: number;
  other?: number;
  found?: FoundObject;
};
