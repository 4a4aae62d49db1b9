// Writes a data set that is read in any layout in another one: pictures linked, annotations written, and what is lost said.

import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type DatasetSource, loadDataset } from "../data/dataset/dataset.ts";
import type { LayoutName } from "../data/dataset/formats/layout.ts";
import { type LabelledData, SPLITS, type SplitName } from "../data/dataset/sample.ts";
import { UserError } from "../util/errors.ts";
import { fileError } from "../util/files.ts";
import { isMissing, isWithin } from "../util/untrusted/regular.ts";
import { COCO_WRITER } from "./coco.ts";
import { linkPictures, nameSplit, type PlacedSplit, placeSplit } from "./pictures.ts";
import { VOC_WRITER } from "./voc.ts";
import { type Losses, putFile, type Writer } from "./writer.ts";
import { YOLO_WRITER } from "./yolo.ts";

export type ConvertDatasetOptions = {
  /** Roboflow's folders of COCO files, YOLO's, or those of the VOC devkit. */
  to: "coco" | "yolo" | "voc";
  /** The folder to write, which must be new or empty. */
  out: string;
};

/** Plain data, to be printed or written as JSON. */
export type DatasetConversion = {
  layout: LayoutName;
  description: string;
  to: ConvertDatasetOptions["to"];
  out: string;
  classes: string[];
  splits: Partial<Record<SplitName, { images: number; boxes: number; masks: number }>>;
  /** Files of pictures that are linked, and those that are copied. */
  pictures: { linked: number; copied: number };
  /** What the new layout could not keep, a sentence each. */
  notes: string[];
  /** What is wrong with the data set that was read, without hindering. */
  warnings: string[];
};

const WRITERS: Record<ConvertDatasetOptions["to"], Writer> = { coco: COCO_WRITER, yolo: YOLO_WRITER, voc: VOC_WRITER };

/** Throws a UserError where the data set cannot be read or is in error, and where `out` has anything in it or cannot be written. */
export async function convertDataset(
  data: DatasetSource,
  { to, out }: ConvertDatasetOptions,
): Promise<DatasetConversion> {
  await refuseTaken(out, data.dir);
  const dataset = await loadDataset(data, { require: [] });
  return {
    ...{ layout: dataset.layout, description: dataset.description },
    ...(await writeDataset(dataset, { to, out })),
    warnings: dataset.problems.map(({ message }) => message),
  };
}

/** What was written, and what could not be kept. */
export type WrittenDataset = Omit<DatasetConversion, "layout" | "description" | "warnings">;

/**
 * Write splits in a layout, into a folder that is new or empty and appears whole or not at all. `beside`: other files of the folder, by name. Throws a
 * UserError where it cannot be written.
 */
export async function writeDataset(
  dataset: Pick<LabelledData, "classes" | "splits">,
  { to, out, beside = {} }: ConvertDatasetOptions & { beside?: Readonly<Record<string, string>> },
): Promise<WrittenDataset> {
  const writer = WRITERS[to];
  const losses: Losses = new Map();
  const notes: string[] = [];
  const splits: Partial<Record<SplitName, PlacedSplit>> = {};
  const everywhere = new Map<string, string>();
  for (const split of SPLITS.flatMap((name) => dataset.splits[name] ?? [])) {
    const onRenamed = (from: string, file: string) => notes.push(`The picture ${from} of ${split.name} is called ${file}, as its name is taken.`); // biome-ignore format: one line
    const taken = writer.shared ? everywhere : new Map<string, string>();
    const named = nameSplit(split, { byStem: writer.byStem, taken, onRenamed });
    splits[split.name] = { split, pictures: await placeSplit(named, split, { measured: writer.measured }) };
  }
  const pictures = { linked: 0, copied: 0 };
  await writeFolder(out, async (folder) => {
    await writer.write({ out: folder, splits, classes: dataset.classes, losses, notes });
    for (const [name, placed] of Object.entries(splits) as [SplitName, PlacedSplit][]) {
      const { linked, copied } = await linkPictures(join(folder, writer.imagesOf(name)), placed);
      pictures.linked += linked;
      pictures.copied += copied;
    }
    for (const [name, text] of Object.entries(beside)) await putFile(join(folder, name), text);
  });
  for (const [what, count] of losses) notes.push(`${what}: ${count}.`);
  return {
    ...{ to, out },
    classes: dataset.classes.map(({ name }) => name),
    splits: Object.fromEntries(Object.entries(splits).map(([name, placed]) => [name, countsOf(placed)])),
    ...{ pictures, notes },
  };
}

function countsOf({ pictures }: PlacedSplit): { images: number; boxes: number; masks: number } {
  const all = pictures.flatMap(({ sample }) => sample.annotations);
  return { images: pictures.length, boxes: all.length, masks: all.filter(({ mask }) => mask).length };
}

/** Throws a UserError where the folder `out` has anything in it, or where one of the two lies in the other. */
export async function refuseTaken(out: string, dir: string | null | undefined): Promise<void> {
  const hint = "Choose a new folder with --out.";
  if (dir && (isWithin(resolve(out), resolve(dir)) || isWithin(resolve(dir), resolve(out))))
    throw new UserError(`${out} and ${dir} lie in each other: the one would be read as a part of the other.`, { hint });
  const names = await readdir(out).catch((cause) => {
    if (isMissing(cause)) return [];
    throw fileError(out, "write", cause);
  });
  if (names.length > 0) throw new UserError(`${out} has files in it, which are left as they are.`, { hint });
}

/** Make a folder that appears whole or not at all. */
async function writeFolder(out: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const temporary = `${resolve(out)}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await rmdir(out).catch(() => {}); // an empty folder, if any
    await rename(temporary, out);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    throw cause instanceof UserError ? cause : fileError(out, "write", cause);
  }
}
