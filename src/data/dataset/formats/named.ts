// Data sets whose files call classes by name, an image's objects after the other's: what their readers give, and how it becomes samples.

import { extname, join, relative, resolve, sep } from "node:path";
import type { Mask } from "../../../instance/instance.ts";
import { UserError } from "../../../util/errors.ts";
import { isWithin, refuseEscape } from "../../../util/untrusted/regular.ts";
import { IMAGE_EXTENSIONS } from "../../image/decode.ts";
import { exists, type Located, openListing } from "../listing.ts";
import {
  type Annotation,
  boxFault,
  type ClassEntry,
  doubles,
  type ModelMark,
  type Problem,
  type Sample,
  SPLITS,
  type Split,
  type SplitName,
} from "../sample.ts";
import type { Loaded, Place } from "./layout.ts";

/** An object as its file has it; `place` says where that is: "object 2", "line 7". */
export type NamedObject = { name: string; box: Annotation["box"]; mask?: Mask; crowd?: boolean; place: string } & Pick<
  Annotation,
  "byModel" | "score"
>;

/**
 * An image as a file describes it. `from`: the file that its objects are from. `names`: what it may be called below the split's
 * folder of images, as its file says it first; `stem`: its name without an extension, where no other is found.
 */
export type NamedImage = {
  from: string;
  names: readonly string[];
  stem: string | null;
  width: number | null;
  height: number | null;
  objects: NamedObject[];
  byModel?: ModelMark | undefined;
};

/** What a reader makes of a split; `entries` may be in any order. */
export type NamedSplit = { images: string; annotations: string; entries: NamedImage[]; problems: Problem[] };

/** How a reader says what is wrong: `file` is what the problem is of. */
export type Report = (kind: Problem["kind"], severity: Problem["severity"], file: string, message: string) => void;

/** A list of problems of a split, and what adds to it. */
export function problemList(split: SplitName): { problems: Problem[]; report: Report } {
  const problems: Problem[] = [];
  return {
    problems,
    report: (kind, severity, file, message) => problems.push({ kind, severity, split, file, message }),
  };
}

/**
 * Read the files of a split that are each of one image, in `folder`; what is wrong with one is reported, and it is left out. `root`: the
 * folder that none may lead out of.
 */
export async function readEach(
  names: readonly string[],
  { folder, root, report }: { folder: string; root: string; report: Report },
  read: (path: string, name: string) => Promise<NamedImage>,
): Promise<NamedImage[]> {
  const entries: NamedImage[] = [];
  for (const name of names) {
    const path = join(folder, name);
    try {
      await refuseEscape(path, root); // what is wrong in it is shown, and must be the data set's
      entries.push(await read(path, name));
    } catch (cause) {
      if (!(cause instanceof UserError)) throw cause;
      report("malformed", "error", path, cause.message);
    }
  }
  return entries;
}

/** Read the splits of a data set from where they are, and make samples of what was read. Throws what `read` throws. */
export async function loadNamed<Source>(
  sources: Partial<Record<SplitName, Source>>,
  place: Place,
  read: (source: Source, split: SplitName) => Promise<NamedSplit>,
): Promise<Loaded> {
  const splits: Partial<Record<SplitName, NamedSplit>> = {};
  for (const name of SPLITS) {
    const source = sources[name];
    if (source !== undefined) splits[name] = await read(source, name);
  }
  return assembleNamed(splits, place);
}

/**
 * The samples of all splits, image ids counted from 1 in the order of their names. The classes are those of all splits in the
 * order of their names, ids counted from 1: no file numbers them, so one that only a later split has is no clash.
 */
async function assembleNamed(splits: Partial<Record<SplitName, NamedSplit>>, { root, exif }: Place): Promise<Loaded> {
  const all = SPLITS.flatMap((name) => splits[name] ?? []);
  const names = new Set(
    all.flatMap(({ entries }) => entries.flatMap(({ objects }) => objects.map(({ name }) => name))),
  );
  const classes = [...names]
    .filter((name) => name.trim() !== "")
    .sort()
    .map((name, label): ClassEntry => ({ name, categoryId: label + 1, label }));
  const problems: Problem[] = all.flatMap(({ problems: found }) => found);
  if (classes.length === 0 && !problems.some(({ severity }) => severity === "error"))
    throw new UserError(`No object ${problems.length > 0 ? "that is read " : ""}is annotated in ${all.map(({ annotations }) => annotations).join(", ")}.`, {
      hint: problems[0]?.message ?? "Classes are known by the objects that have them: annotate some, or name another data set.",
    }); // biome-ignore format: one line
  const loaded: Loaded = { classes, splits: {}, problems };
  for (const name of SPLITS) {
    const split = splits[name];
    if (!split) continue;
    const images = resolve(split.images);
    const reading = { within: root ?? images, exif };
    const { problems: found, report } = problemList(name);
    const samples = await samplesOf({ ...split, images }, { name, classes, within: reading.within, report, found });
    for (const problem of found) problems.push(problem);
    const one: Split = { name, images, annotations: split.annotations, samples, reading };
    loaded.splits[name] = one;
  }
  return loaded;
}

type Assembly = {
  name: SplitName;
  classes: readonly ClassEntry[];
  within: string;
  report: Report;
  found: Problem[];
};

async function samplesOf(
  { images, annotations: from, entries }: NamedSplit,
  { name: split, classes, within, report, found }: Assembly,
): Promise<Sample[]> {
  const labels = new Map(classes.map((one) => [one.name, one]));
  const locate = await openLocator(images, within);
  const seen = new Map<string, string>();
  const placed: { entry: NamedImage; file: string; path: string }[] = [];
  for (const entry of entries) {
    const called = entry.names.find((one) => one !== "") ?? entry.stem ?? "";
    const place = await locate(entry);
    if (place === null) {
      report("escaping-path", "error", called, `${entry.from}: image ${called} lies outside of ${within}.`);
      continue;
    }
    const file = place.there ? relative(images, place.path).split(sep).join("/") : called;
    const before = seen.get(place.path);
    if (before !== undefined) {
      const which = before === entry.from ? "twice" : `and so is ${before}`;
      report("duplicate-image", "error", file, `${entry.from} is of the image ${file}, ${which}: keep one of them.`);
      continue;
    }
    if (!place.there)
      report("missing-image", "error", file, `${entry.from} is of ${called}, which is not in ${images}.`);
    seen.set(place.path, entry.from);
    placed.push({ entry, file, path: place.path });
  }
  placed.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  refuseFractions(entries, from, report);
  let id = 1;
  return placed.map(({ entry, file, path }, i) => {
    const { width, height } = entry;
    const { byModel } = entry;
    const sample: Sample = { imageId: i + 1, file, path, width, height, annotations: [], ...(byModel && { byModel }) };
    for (const { name, box, mask, crowd = false, place, ...made } of entry.objects) {
      const annotationId = id++;
      const add = (kind: Problem["kind"], severity: Problem["severity"], says: string) => {
        const message = `${entry.from}, ${place} (image ${file}) ${says}.`;
        found.push({ kind, severity, split, file, annotationId, message });
      };
      const entryOf = labels.get(name);
      const fault = boxFault(box, width, height);
      if (fault) add(fault.kind, fault.severity, fault.reason);
      if (!entryOf) add("malformed", "error", "has no name of a class");
      if (!entryOf || fault?.severity === "error") continue;
      const { label, categoryId } = entryOf;
      const area = (box[2] - box[0]) * (box[3] - box[1]);
      sample.annotations.push({
        id: annotationId,
        categoryId,
        label,
        box,
        area,
        crowd,
        ...(mask && { mask }),
        ...made,
      });
    }
    for (const phrase of doubles(sample.annotations, classes))
      report("duplicate-box", "warning", file, `${entry.from}: ${file} ${phrase}.`);
    return sample;
  });
}

/**
 * Finds the picture of an entry: by its names below `images`, in this order, then by its stem. A name may lead out of `images`,
 * but not out of `within`. Null where every name leads out and no stem leads to a picture.
 */
async function openLocator(images: string, within: string): Promise<(entry: NamedImage) => Promise<Located | null>> {
  const locate = await openListing(images);
  return async ({ names, stem }) => {
    let missing: Located | null = stem === null ? null : { path: resolve(images, stem), there: false };
    let leadsOut = false;
    for (const name of names) {
      const place = name.includes("\0") ? null : await locate(name);
      if (place?.there) return place;
      const path = resolve(images, name.replaceAll("\0", "").replaceAll("\\", "/"));
      const beside = place ?? (isWithin(path, within) ? { path, there: await exists(path) } : null);
      if (beside?.there) return beside;
      leadsOut ||= beside === null;
      missing = beside ?? missing;
    }
    for (const extension of stem === null ? [] : IMAGE_EXTENSIONS)
      for (const spelt of [extension, extension.toUpperCase()]) {
        const place = await locate(`${stem}${spelt}`);
        if (place?.there) return place;
      }
    return leadsOut ? null : missing;
  };
}

/** Boxes that all lie within the first pixel are fractions of the image. */
function refuseFractions(entries: readonly NamedImage[], from: string, report: Report): void {
  const boxes = entries.flatMap(({ objects }) => objects.map(({ box }) => box));
  if (boxes.length === 0 || !boxes.every((box) => box.every((side) => side >= 0 && side <= 1))) return;
  const says = `all ${boxes.length} boxes lie between 0 and 1: fractions of the image, where pixels belong`;
  report("not-boxes", "error", from, `${from}: ${says}.`);
}

/** A number as files write it; NaN for anything else, and for what is not there. */
export function numberIn(text: unknown): number {
  if (typeof text === "number") return text;
  const isNumber = typeof text === "string" && /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text);
  return isNumber ? Number(text) : Number.NaN;
}

/** The width or height of an image as a file says it; null where it says none. */
export function sideIn(value: unknown): number | null {
  const side = numberIn(value);
  return side > 0 && Number.isFinite(side) ? side : null;
}

/** A file's name without its extension. */
export function stemOf(file: string): string {
  return file.slice(0, file.length - extname(file).length);
}

/** A name in the folder of the file that says it. */
export function besideOf(file: string, name: string): string {
  return join(file, "..", name);
}
