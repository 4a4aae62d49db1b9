// The pictures of a data set that is written again: what each is called in it, how large it is, and the link or copy of its file.

import { copyFile, link, mkdir, realpath, stat, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, relative, sep } from "node:path";
import type { Sample, Split } from "../data/dataset/sample.ts";
import { imageHeader, readImageFile } from "../data/image/decode.ts";
import { fileError } from "../util/files.ts";
import { isWithin, refuseEscape } from "../util/untrusted/regular.ts";

/** A sample and its place in the new data set: `file` is its name in the folder of images of its split, with "/" between folders. */
export type Placed = { sample: Sample; file: string; width: number; height: number };

/** A split of the new data set. */
export type PlacedSplit = { split: Split; pictures: Placed[] };

export type NameRules = {
  /** Whether pictures may not differ in their extension alone: their annotations have files of the same name. */
  byStem: boolean;
  /** Names that are taken, in small letters; those that are given are added. */
  taken: Map<string, string>;
  /** Called for a picture that cannot keep its name. */
  onRenamed: (from: string, to: string) => void;
};

const COMMON_FOLDER = "images/";

/** How many files are read or linked at a time. */
const AT_ONCE = 16;

/** What each picture of a split is called: as in its own folder, or with a number where that is taken. A picture that is listed twice has one name. */
export function nameSplit(split: Split, { byStem, taken, onRenamed }: NameRules): { sample: Sample; file: string }[] {
  const own = split.samples.map(({ path }) => {
    return isWithin(path, split.images) ? relative(split.images, path).split(sep).join("/") : basename(path);
  });
  // as YOLO's readers look for the last folder called images, it must not be one that all have anyway
  const common = own.every((name) => name.startsWith(COMMON_FOLDER)) ? COMMON_FOLDER.length : 0;
  return split.samples.map((sample, i) => {
    const name = own[i]!.slice(common);
    const extension = extname(name);
    const stem = name.slice(0, name.length - extension.length);
    for (let count = 1; ; count++) {
      const file = `${stem}${count === 1 ? "" : `-${count}`}${extension}`;
      const key = (byStem ? file.slice(0, file.length - extension.length) : file).toLowerCase();
      const holder = taken.get(key);
      if (holder !== undefined && holder !== sample.path) continue;
      if (holder === undefined && count > 1) onRenamed(name, file);
      taken.set(key, sample.path);
      return { sample, file };
    }
  });
}

/** Sizes of the pictures: as annotated, or with `measured`, and where nothing is annotated, as their headers say. */
export async function placeSplit(
  named: readonly { sample: Sample; file: string }[],
  split: Split,
  { measured }: { measured: boolean },
): Promise<Placed[]> {
  const placed: Placed[] = [];
  for (let i = 0; i < named.length; i += AT_ONCE) {
    const some = named.slice(i, i + AT_ONCE).map(async ({ sample, file }): Promise<Placed> => {
      const { width, height, path } = sample;
      if (!measured && width !== null && height !== null) return { sample, file, width, height };
      const header = await imageHeader(path, split.reading);
      return { sample, file, width: header.width, height: header.height };
    });
    placed.push(...(await Promise.all(some)));
  }
  return placed;
}

/** Link the pictures' files into a folder, or copy them where the disk knows no such links. Says how many of each. */
export async function linkPictures(
  folder: string,
  { split, pictures }: PlacedSplit,
): Promise<{ linked: number; copied: number }> {
  const counts = { linked: 0, copied: 0 };
  const files = [...new Map(pictures.map(({ file, sample }) => [file, sample.path]))];
  for (const path of new Set(files.map(([file]) => dirname(join(folder, file)))))
    await mkdir(path, { recursive: true });
  for (let i = 0; i < files.length; i += AT_ONCE) {
    const some = files.slice(i, i + AT_ONCE).map(([file, path]) => linkPicture(path, join(folder, file), split));
    for (const how of await Promise.all(some)) counts[how]++;
  }
  return counts;
}

async function linkPicture(path: string, to: string, { reading, images }: Split): Promise<"linked" | "copied"> {
  const within = reading.within ?? images;
  await refuseEscape(path, within);
  const real = await realpath(path); // a link to a link would lead elsewhere from there
  try {
    if ((await stat(real)).size < 1024) {
      await writeFile(to, await readImageFile(path, { within })); // it may be a link that was copied as text
      return "copied";
    }
    try {
      await link(real, to);
      return "linked";
    } catch {
      await copyFile(real, to);
      return "copied";
    }
  } catch (cause) {
    throw fileError(to, "write", cause);
  }
}
