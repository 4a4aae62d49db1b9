// The splits of a data set that COCO files describe, all in the classes of the first one.

import { join, resolve } from "node:path";
import { inClassTable } from "../classTable.ts";
import { type CocoFile, cocoClasses, cocoSamples, readCoco } from "../coco.ts";
import { exists, openListing } from "../listing.ts";
import { type Problem, SPLITS, type SplitName } from "../sample.ts";
import type { Loaded, Place } from "./layout.ts";

/** Where one split is: a COCO file, and the folders that its images may be in, the likelier first. */
export type CocoSource = { images: readonly string[]; annotations: string };

/** Images whose names are tried to find the folder of the images. */
const MOST_TRIED = 20;

/** Read the COCO files of all splits. Throws a UserError where one is damaged or a folder is missing. */
export async function loadCoco(
  sources: Partial<Record<SplitName, CocoSource>>,
  { root, exif }: Place,
): Promise<Loaded> {
  const files: Partial<Record<SplitName, CocoFile>> = {};
  for (const name of SPLITS) if (sources[name]) files[name] = await readCoco(sources[name].annotations);
  const first = SPLITS.find((name) => files[name]);
  const classes = first ? cocoClasses(files[first]!) : [];
  const splits: Loaded["splits"] = {};
  const problems: Problem[] = [];
  for (const name of SPLITS) {
    const [file, source] = [files[name], sources[name]];
    if (!file || !source) continue;
    const images = await folderOf(source.images, file);
    const folder = resolve(images);
    const locate = await openListing(folder);
    const renumbered = inClassTable(file, classes, name);
    for (const problem of renumbered.problems) problems.push(problem);
    const { samples, problems: found } = await cocoSamples(renumbered.file, classes, {
      split: name,
      folder: images,
      locate,
    });
    for (const problem of found) problems.push(problem); // they may be more than a call can have arguments
    const reading = { within: root ?? folder, exif };
    splits[name] = { name, images: folder, annotations: source.annotations, samples, reading };
  }
  return { classes, splits, problems };
}

/** The first folder that has one of the first images; where none has, the first of all. */
async function folderOf(folders: readonly string[], { images }: CocoFile): Promise<string> {
  if (folders.length > 1)
    for (const { file_name: name } of images.slice(0, MOST_TRIED)) {
      const path = typeof name === "string" && !name.includes("\0") ? name.replaceAll("\\", "/") : null;
      for (const folder of path === null ? [] : folders) if (await exists(join(folder, path!))) return folder;
    }
  return folders[0]!;
}
