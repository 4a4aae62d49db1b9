// suspects.json: suspected labels as a file, and with a decision at each what a person thinks of them: what the page hands back.

import type { CocoBox } from "../../instance/boxes.ts";
import type { Mask } from "../../instance/instance.ts";

/** What can be wrong: an object without a label, one of another class, a box that is off, a second label on one object. */
export const SUSPECT_KINDS = ["missing", "class", "place", "double"] as const;
export type SuspectKind = (typeof SUSPECT_KINDS)[number];

/** `index`: the place among the labels of its picture, as the data set is read; `id` as in its files, for people. */
export type LabelRecord = { index: number; id: number; class: string; bbox: CocoBox };

/** A class, a box in pixels, and of a segmenter a mask. */
export type FoundRecord = { class: string; bbox: CocoBox; score: number; segmentation?: Mask };

/**
 * A suspect. `label`: the label that is suspected, of a double the one that would go, and `other` the one that would stay; `found`: what
 * the detector found: the object to add, or the one that says class or place.
 */
export type SuspectRecord = {
  id: number;
  kind: SuspectKind;
  /** From 0 to 1. */
  score: number;
  split: "train" | "val" | "test";
  image_id: number;
  file_name: string;
  label?: LabelRecord;
  other?: LabelRecord;
  found?: FoundRecord;
  decision?: "accept" | "reject";
};

/** `made`: by which weights, and when; `data`: the data set for people, and the hash by which it is known again. */
export type SuspectsRecord = {
  format: 1;
  made: { weights: string; sha256: string; program: string; date: string };
  data: { description: string; fingerprint: string };
  suspects: SuspectRecord[];
};

/** A part of a picture in whole pixels of it, its JPEG in base64, and boxes of other labels in it. */
export type SuspectCrop = { left: number; top: number; width: number; height: number; jpeg: string; near: CocoBox[] };

/**
 * What the page's script has: `crops` of the suspects in their order, null where a picture cannot be shown; `classes`: all of the data set;
 * `key`: where decisions are kept.
 */
export type SuspectsPageData = {
  key: string;
  record: SuspectsRecord;
  crops: (SuspectCrop | null)[];
  classes: readonly string[];
};
