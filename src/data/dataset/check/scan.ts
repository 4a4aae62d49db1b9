// The check of a whole data set before anything is trained: counts, and every file or box that is wrong, by name.

import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { extname, join } from "node:path";
import { wholeArea } from "../../../instance/slices/layout.ts";
import { UserError } from "../../../util/errors.ts";
import { factLine } from "../../../util/text/fact.ts";
import { inOrder } from "../../../util/threads/inOrder.ts";
import { refuseEscape } from "../../../util/untrusted/regular.ts";
import { decodeBytes, headerOf, IMAGE_EXTENSIONS, type ImageHeader, MAX_PIXELS, readImageFile } from "../../image/decode.ts"; // biome-ignore format: one line
import type { Dataset } from "../dataset.ts";
import { listFiles } from "../listing.ts";
import {
  boxFault,
  type ClassEntry,
  countKeys,
  type Problem,
  type ProblemKind,
  type Sample,
  SPLITS,
  type Split,
  type SplitName,
  trainingBoxes,
} from "../sample.ts";
import { enoughQueries } from "./crowds.ts";
import { judgeHeaders } from "./headers.ts";
import { leakProblem, type Twin } from "./leaks.ts";
import { judgeMasks, type MaskCounts, maskProblems, noMasks } from "./masks.ts";
import { wholenessProblems } from "./wholeness.ts";

type SplitReport = {
  images: number;
  /** Images without a box to train on. */
  backgrounds: number;
  /** Boxes that training sees. */
  boxes: number;
  crowds: number;
  /** By name; where several classes share one, by name and id, as `countKeys` gives them. */
  boxesPerClass: Record<string, number>;
  /** Boxes of the fullest image. */
  mostBoxes: number;
  /** Where any object has a mask. */
  masks?: MaskCounts;
};

/** Plain data, to be printed or written as JSON. `ok`: nothing stops training. */
export type ScanReport = {
  ok: boolean;
  layout: Dataset["layout"];
  description: string;
  classes: ClassEntry[];
  splits: Partial<Record<SplitName, SplitReport>>;
  /** How many problems there are of each kind that occurs. */
  counts: Partial<Record<ProblemKind, number>>;
  problems: Problem[];
  /** What was done to the set after it was read, in lines for people. */
  notes: string[];
};

export type ScanOptions = {
  /** Queries of the model: an image with more objects cannot be learned whole. */
  queries?: number;
  /** Whether the model gives masks: what is wrong with them stops training then. Default false. */
  segmenter?: boolean;
  /** Whether pictures that lie in two splits are a warning only. Default false. */
  allowLeaks?: boolean;
  /** Whether pictures are read in parts, so that very large ones can be. Default false. */
  inParts?: boolean;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
};

type ReportProblem = (
  kind: ProblemKind,
  severity: Problem["severity"],
  file: string,
  message: string,
  annotationId?: number,
) => void;

/** An image that is not of the size that the annotations say, and their boxes that do not fit into it. */
function judgeSize(
  sample: Sample,
  { width, height }: { width: number | null; height: number | null },
  { annotations, report }: { annotations: string; report: ReportProblem },
): void {
  if (width === null || height === null || (sample.width === width && sample.height === height)) return;
  if (sample.width !== null) {
    const says = `${annotations} says ${sample.width} x ${sample.height}`;
    report("size-differs", "warning", sample.file, `${sample.path} is ${width} x ${height}, ${says}.`);
  }
  for (const { id, box } of sample.annotations) {
    const fault = boxFault(box, width, height);
    const where = `${annotations}: annotation ${id} (image ${sample.file})`;
    if (fault && fault.kind !== "box-zero-size")
      report(fault.kind, fault.severity, sample.file, `${where} ${fault.reason}.`, id);
  }
}

/**
 * Open every image of a data set (read with `strict: false`). Throws only if `signal` is aborted or a folder is gone; all
 * that is wrong with the data is in the report.
 */
export async function scanDataset(dataset: Dataset, options: ScanOptions = {}): Promise<ScanReport> {
  const {
    queries = Number.POSITIVE_INFINITY,
    segmenter = false,
    allowLeaks = false,
    inParts = false,
    onProgress,
    signal,
  } = options;
  const before = [...dataset.problems, ...wholenessProblems(dataset)];
  const ofMasks: Problem[] = [];
  const ofHeaders: Problem[] = [];
  const found: Problem[] = [];
  const known = new Set(before.map((p) => `${p.split} ${p.file} ${p.kind}`));
  const present = SPLITS.flatMap((name) => dataset.splits[name] ?? []);
  const total = present.reduce((n, split) => n + split.samples.length, 0);
  const contents = new Map<string, Twin>();
  const splits: ScanReport["splits"] = {};
  let done = 0;
  const keys = countKeys(dataset.classes);
  for (const split of present) {
    const report: ReportProblem = (kind, severity, file, message, id) =>
      found.push({
        kind,
        severity,
        split: split.name,
        file,
        ...(id === undefined ? {} : { annotationId: id }),
        message,
      });
    const looks = await inOrder(split.samples, 4, async (sample) => {
      signal?.throwIfAborted();
      const look = await lookAt(sample, split, { known, inParts });
      onProgress?.(++done, total);
      return look;
    });
    const headers = looks.map(({ header }, i) => ({ sample: split.samples[i]!, header }));
    // each image of another size is named below, with its boxes
    ofHeaders.push(...judgeHeaders(split, headers).filter((one) => one.kind !== "size-differs" || one.severity === "error")); // biome-ignore format: one line
    const counted: SplitReport = emptyReport(split.samples.length, keys);
    for (const [i, look] of looks.entries()) {
      const sample = split.samples[i]!;
      if (look.fault) report(look.fault.kind, "error", sample.file, look.fault.message);
      const twin = look.content === null ? undefined : contents.get(look.content);
      const image = { split: split.name, sample };
      if (twin) found.push(twinProblem(image, twin, { allowed: allowLeaks }));
      else if (look.content !== null) contents.set(look.content, image);
      const [width, height] = [look.width ?? sample.width, look.height ?? sample.height];
      judgeSize(sample, look, { annotations: split.annotations, report });
      const { labels } = trainingBoxes(sample.annotations, width ?? Number.MAX_VALUE, height ?? Number.MAX_VALUE);
      for (const label of labels) counted.boxesPerClass[keys[label]!]! += 1;
      counted.boxes += labels.length;
      counted.crowds += sample.annotations.filter((a) => a.crowd).length;
      if (labels.length === 0) counted.backgrounds++;
      counted.mostBoxes = Math.max(counted.mostBoxes, labels.length);
      if (labels.length > queries) {
        const message = `${sample.file} holds ${labels.length} objects, the model has ${queries} queries: the rest can never be found. ${enoughQueries(labels.length)}`;
        report("too-many-objects", "warning", sample.file, message);
      }
    }
    const masks = judgeSplit(split, looks);
    for (const problem of masks.problems) ofMasks.push(problem);
    splits[split.name] = { ...counted, ...(masks.counts && { masks: masks.counts }) };
    for (const file of await unlisted(split, present)) {
      const message = `${file} lies in ${split.images} and is not in ${split.annotations}: it is not used.`;
      report("unlisted-file", "warning", file, message);
    }
  }
  const all = [...before, ...ofHeaders, ...found, ...ofMasks];
  return concluded(dataset, splits, segmenter ? forSegmenter(dataset, all) : all);
}

function concluded(
  { layout, description, classes, notes = [] }: Dataset,
  splits: ScanReport["splits"],
  problems: Problem[],
): ScanReport {
  const counts: ScanReport["counts"] = {};
  for (const { kind } of problems) counts[kind] = (counts[kind] ?? 0) + 1;
  const ok = problems.every((p) => p.severity !== "error");
  return { ok, layout, description, classes, splits, counts, problems, notes: notes.map(factLine) };
}

/** A mask that cannot be used stops a segmenter, and so does a set without masks. */
function forSegmenter(dataset: Dataset, problems: readonly Problem[]): Problem[] {
  const stopping = problems.map(
    (problem): Problem => (problem.kind === "mask-unusable" ? { ...problem, severity: "error" } : problem),
  );
  return [...stopping, ...noMasks(dataset)];
}

/** The masks of a split, where it has any. */
function judgeSplit(split: Split, looks: readonly Look[]): { counts: MaskCounts | null; problems: Problem[] } {
  if (!split.samples.some(({ annotations }) => annotations.some(({ mask }) => mask)))
    return { counts: null, problems: [] };
  const counts: MaskCounts = { masks: 0, without: 0, empty: 0, withHoles: 0, offBox: 0 };
  const problems: Problem[] = [];
  for (const [i, sample] of split.samples.entries()) {
    const [width, height] = [looks[i]!.width ?? sample.width, looks[i]!.height ?? sample.height];
    if (width === null || height === null) continue;
    const judged = judgeMasks(sample, [height, width], split);
    for (const key of Object.keys(counts) as (keyof MaskCounts)[]) counts[key] += judged.counts[key];
    for (const problem of judged.problems) problems.push(problem);
  }
  return { counts, problems: [...problems, ...maskProblems(counts, split)] };
}

/** The same image twice: in one split it counts twice, in two it leaks. */
function twinProblem(image: Twin, twin: Twin, { allowed }: { allowed: boolean }): Problem {
  if (twin.split !== image.split) return leakProblem(image, twin, { allowed });
  const { split, sample } = image;
  const message = `${sample.file} and ${twin.sample.file} (${twin.split}) are the same image.`;
  return { kind: "duplicate-image", severity: "warning", split, file: sample.file, message };
}

type Look = {
  header: ImageHeader | null;
  width: number | null;
  height: number | null;
  content: string | null;
  fault: { kind: ProblemKind; message: string } | null;
};

/** Read and decode one image, unless reading the annotations already told that it is not there. */
async function lookAt(
  sample: Sample,
  split: Split,
  { known, inParts }: { known: ReadonlySet<string>; inParts: boolean },
): Promise<Look> {
  const nothing: Look = { header: null, width: null, height: null, content: null, fault: null };
  for (const kind of ["missing-image", "corrupt-image"])
    if (known.has(`${split.name} ${sample.file} ${kind}`)) return nothing;
  const failed = (kind: ProblemKind, cause: unknown): Look => {
    if (!(cause instanceof UserError)) throw cause;
    return { ...nothing, fault: { kind, message: cause.message } };
  };
  let bytes: Buffer;
  try {
    await refuseEscape(sample.path, split.reading.within ?? split.images);
  } catch (cause) {
    return failed("escaping-path", cause);
  }
  try {
    bytes = await readImageFile(sample.path, split.reading);
  } catch (cause) {
    return failed("missing-image", cause);
  }
  const header = await headerOf(bytes, sample.path, split.reading).catch(() => null);
  try {
    const large = inParts && header !== null && header.width * header.height > MAX_PIXELS;
    const area = large ? wholeArea([header.height, header.width]) : undefined;
    const { width, height } = { ...(await decodeBytes(bytes, sample.path, { ...split.reading, area })), ...area };
    return { header, width, height, content: createHash("sha256").update(bytes).digest("hex"), fault: null };
  } catch (cause) {
    return { ...failed("corrupt-image", cause), header };
  }
}

/**
 * Images in the folder of a split that no split lists, and that no listed link leads to; a folder that splits share is reported with the
 * first.
 */
async function unlisted(split: Split, all: readonly Split[]): Promise<string[]> {
  if (all.find((other) => other.images === split.images) !== split) return [];
  const listed = new Set(all.flatMap((other) => other.samples.map((s) => s.path)));
  const names = (await listFiles(split.images)).filter(
    (f) => IMAGE_EXTENSIONS.has(extname(f).toLowerCase()) && !listed.has(join(split.images, f)),
  );
  if (names.length === 0) return [];
  const meant = new Set(await Promise.all([...listed].map(placeOf)));
  const places = await Promise.all(names.map((name) => placeOf(join(split.images, name))));
  return names.filter((_, i) => !meant.has(places[i]!));
}

/** Where a path leads, links followed; the path itself where that is nowhere. */
function placeOf(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

function emptyReport(images: number, keys: readonly string[]): SplitReport {
  const boxesPerClass = Object.fromEntries(keys.map((key) => [key, 0]));
  return { images, backgrounds: 0, boxes: 0, crowds: 0, boxesPerClass, mostBoxes: 0 };
}
