// The keys of `data` that say which images are for what, and what its classes are.

import { z } from "zod";
import { count, factor, path } from "./fields.ts";

const names = () => z.array(path()).min(1).optional();

const classes = z.strictObject({
  keep: names().describe(
    "Classes that stay, as they are called in the files or after renaming; all others are dropped",
  ),
  drop: names().describe("Classes whose boxes are left out"),
  rename: z
    .record(path(), path())
    .optional()
    .describe("New names by the names in the files; two of one new name become one class"),
  merge: z
    .record(path(), z.array(path()).min(1))
    .optional()
    .describe("Names in the files by the name of the class that they become"),
});

export const subsetKeys = {
  val_fraction: z
    .number()
    .gt(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe(
      "Share of the training images that becomes the validation split of a data set without one: by class, copies and groups never on both sides; the run keeps it in split.json",
    ),
  split_seed: count(0)
    .max(0xffffffff)
    .default(0)
    .describe("Seed of the split that data.val_fraction makes; seed does not change it, so that runs compare"),
  group: path()
    .nullable()
    .default(null)
    .describe(
      "Regular expression on file names whose first part in brackets names a group, such as a video or a patient, that data.val_fraction keeps on one side; null: copies that Roboflow made of a picture are one",
    ),
  allow_leaks: z
    .boolean()
    .default(false)
    .describe("Train although pictures lie in two splits, byte for byte, so that what is measured is not held out"),
  near_duplicates: z
    .enum(["together", "apart"])
    .default("together")
    .describe(
      "Whether data.val_fraction keeps pictures on one side that look nearly the same; together looks at every picture",
    ),
  negatives: z
    .union([factor(), z.literal("all")])
    .default("all")
    .describe(
      "Largest share of an epoch's images that are without boxes, which take turns; all: they are shown as all others",
    ),
  classes: classes
    .nullable()
    .default(null)
    .describe("Merge, rename, drop and keep classes by name; evaluate does the same to the data set it measures on"),
};
