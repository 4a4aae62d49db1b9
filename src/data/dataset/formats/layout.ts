// What a layout of files is, once it was recognised: its name, a line for people, and how it is read.

import type { Exif } from "../../image/decode.ts";
import type { ClassEntry, Problem, Split, SplitName } from "../sample.ts";

export type LayoutName =
  | "roboflow-coco"
  | "coco"
  | "yolo"
  | "voc"
  | "labelme"
  | "createml"
  | "csv"
  /** COCO files named in the recipe. */
  | "explicit";

/** The folder that links may lead to, where there is one of the whole set, and what EXIF orientation does. */
export type Place = { root: string | undefined; exif: Exif | undefined };

/** What a layout's files hold. `note`: what the description has to say besides, once they were read. */
export type Loaded = {
  classes: ClassEntry[];
  splits: Partial<Record<SplitName, Split>>;
  problems: Problem[];
  note?: string;
};

/** `description`: one line for people, which layout was found where. */
export type Layout = { name: LayoutName; description: string; load: (place: Place) => Promise<Loaded> };
