// The keys of `data`.

import { z } from "zod";
import { DEFAULT_OVERLAP, LEAST_SLICE, MOST_OVERLAP } from "../instance/slices/layout.ts";
import { augment } from "./augment/augment.ts";
import { count, factor, orNone, path, section } from "./fields.ts";
import { subsetKeys } from "./subsetKeys.ts";

const splitFiles = (name: string) =>
  z
    .strictObject({ images: path().describe("Folder of the images"), annotations: path().describe("COCO JSON file") })
    .nullable()
    .default(null)
    .describe(`The ${name} split, where its files are named instead of found in data.dir`);

const slices = z.strictObject({
  size: count(LEAST_SLICE).describe("Side of the parts, in pixels of the picture"),
  overlap: z
    .number()
    .min(0)
    .max(MOST_OVERLAP)
    .default(DEFAULT_OVERLAP)
    .describe("Share of its side that a part has in common with the next one"),
  background: factor()
    .default(0.1)
    .describe("Share of the parts without objects that is trained on, drawn by the seed"),
});

export const data = section(
  {
    dir: path().nullable().default(null).describe("Folder or zip file of the data set; its layout is detected"),
    train: splitFiles("training"),
    val: splitFiles("validation"),
    test: splitFiles("test"),
    ...subsetKeys,
    batch_size: z
      .union([count(), z.literal("auto")])
      .default(4)
      .describe("Images a forward pass; auto tries what fits into memory and is fastest"),
    exif: z
      .enum(["as-stored", "apply"])
      .default("as-stored")
      .describe(
        "Pictures with an EXIF orientation: as-stored takes their pixels as they are, as the reference does; apply turns them, for boxes that were drawn on the turned picture",
      ),
    max_broken: count(0)
      .default(10)
      .describe(
        "Images that may turn out to be damaged while a run is under way: in training the next one takes their place, in an evaluation they are left out; beyond that the run stops",
      ),
    workers: count(0).max(64).default(2).describe("Threads that read and decode images"),
    shuffle: z.boolean().default(true).describe("New order of the images in each epoch"),
    augment,
    close_augment_epochs: count(0)
      .default(0)
      .describe(
        "In the last so many epochs, augment leaves out the steps after which a picture has empty parts or is put together of several",
      ),
    slices: orNone(slices)
      .default("none")
      .describe(
        "Small objects: train on overlapping parts of the pictures that are larger than `size`, and evaluate whole pictures by what is found in their parts and in all of them",
      ),
    multi_scale: z
      .enum(["per-batch", "per-sample", "off"])
      .default("off")
      .describe("Random input sizes while training: one for each update, or one for each image"),
    resample: z
      .enum(["none", "repeat-factor", "balanced"])
      .default("none")
      .describe(
        "Showing images of rare classes more often: repeat-factor as in LVIS (classes in less than a thousandth of the images), balanced (every class equally often)",
      ),
  },
  "Images and labels; paths are relative to the current folder",
);
