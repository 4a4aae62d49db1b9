// Labels that may be wrong, by what a trained detector finds: ranked, in suspects.json and on a page to accept or reject them.

import { join, resolve } from "node:path";
import type { Dataset, DatasetSource } from "../data/dataset/dataset.ts";
import { type Annotation, annotatedMask, SPLITS, type Split, type SplitName } from "../data/dataset/sample.ts";
import { openDetector } from "../detector/open.ts";
import { alignClasses } from "../eval/evaluate.ts";
import type { EvaluateOptions } from "../eval/measure.ts";
import { maskRuns } from "../instance/masks/maskRuns.ts";
import { packMask } from "../instance/masks/runs.ts";
import { suspectsPage } from "../report/suspects/suspectsPage.ts";
import type { SuspectKind, SuspectRecord, SuspectsRecord } from "../report/suspects/suspectsRecord.ts";
import { programVersion } from "../run/environment.ts";
import { UserError } from "../util/errors.ts";
import { sha256File, writeFileAtomic } from "../util/files.ts";
import { pageCrops } from "./crops.ts";
import { type LookedAtPicture, lookAtSplit } from "./look.ts";
import { rankSuspects } from "./rank/rank.ts";
import { recordOf } from "./record.ts";
import { loadAsItIs, reviewFingerprint } from "./source.ts";
import type { ReviewedPicture } from "./suspect.ts";

export type ReviewOptions = Omit<EvaluateOptions, "data" | "split" | "maxDets"> & {
  /** The data set, as a recipe's `data` names it; rules about classes and held-back splits in it are left aside. */
  data: DatasetSource;
  /** Parts of it that are reviewed. Default train. */
  splits?: readonly SplitName[] | undefined;
  /** The folder to write to. */
  out: string;
  /** Suspects that the page has at most. Default 500. */
  most?: number | undefined;
  /** How the page says that its decisions are applied. */
  command?: string | undefined;
};

/** Plain data, to be printed or written as JSON. */
export type Review = {
  weights: string;
  description: string;
  device: string;
  images: number;
  labels: number;
  /** Suspects of each kind. */
  suspects: Record<SuspectKind, number>;
  /** The files that were written, and the suspects that the page has. */
  record: string;
  page: string;
  shown: number;
};

const MOST_SHOWN = 500;
const FILES = { record: "suspects.json", page: "suspects.html" } as const;

/**
 * Run a detector over splits of a data set and write which labels are suspect: `suspects.json`, and `suspects.html` to go through them.
 * The data set is only read. Throws a UserError where model or data cannot be read or do not fit.
 */
export async function reviewLabels(options: ReviewOptions): Promise<Review> {
  const { data, splits: names = ["train"], out, most = MOST_SHOWN, command = COMMAND } = options;
  const dataset = await loadAsItIs(data);
  const splits = SPLITS.filter((name) => names.includes(name)).flatMap((name) => dataset.splits[name] ?? []);
  if (splits.every(({ samples }) => samples.length === 0))
    throw new UserError(`The data set has no images in ${names.join(", ")}: ${dataset.description}.`, {
      hint: "Name another part of it with --split.",
    });
  const fingerprint = await reviewFingerprint(dataset);
  const { pictures, known, about, device } = await lookAt(dataset, splits, options);
  const ranked = rankSuspects(pictures, { known });
  const record: SuspectsRecord = {
    format: 1,
    made: { ...about, program: `rfdetr-train ${programVersion()}`, date: new Date().toISOString() },
    data: { description: dataset.description, fingerprint },
    suspects: ranked.map((suspect, i) => recordOf(suspect, { id: i + 1, classes: dataset.classes })),
  };
  const places = { record: join(out, FILES.record), page: join(out, FILES.page) };
  await writeFileAtomic(places.record, recordText(record));
  const shown = { ...record, suspects: record.suspects.slice(0, most) };
  const crops = await pageCrops(shown.suspects, dataset);
  await writeFileAtomic(
    places.page,
    await suspectsPage(shown, crops, { classes: dataset.classes.map(({ name }) => name), all: ranked.length, command }),
  );
  const count = (kind: SuspectKind) => ranked.filter((one) => one.kind === kind).length;
  return {
    ...{ weights: about.weights, description: dataset.description, device },
    images: pictures.length,
    labels: pictures.reduce((sum, { annotations }) => sum + annotations.filter(({ crowd }) => !crowd).length, 0),
    suspects: { missing: count("missing"), class: count("class"), place: count("place"), double: count("double") },
    ...places,
    shown: shown.suspects.length,
  };
}

const COMMAND = "rfdetr-train data correct --data FOLDER --decisions decisions.json --out CORRECTED";

/** A suspect a line. */
function recordText({ suspects, ...rest }: SuspectsRecord): string {
  const lines = suspects.map((one: SuspectRecord) => JSON.stringify(one));
  return `${JSON.stringify(rest).slice(0, -1)},"suspects":[\n${lines.join(",\n")}\n]}\n`;
}

/** Labels and detections of all pictures of some splits. */
async function lookAt(dataset: Dataset, splits: readonly Split[], options: ReviewOptions) {
  const { weights, batchSize = 4, device = "auto", precision = "none", recipe, onDownload, onWarning, onImages } = options; // biome-ignore format: one line
  const total = splits.reduce((sum, { samples }) => sum + samples.length, 0);
  const opening = { batches: Math.floor((2 * total) / batchSize), batchSizes: [Math.min(batchSize, total)] };
  const slicing = { slices: options.slices, partsAtOnce: batchSize };
  const detector = await openDetector(weights, { device, precision, recipe, onDownload, ...opening, ...slicing });
  try {
    const { source, file, device: used } = detector;
    if (used.warning) onWarning?.(used.warning);
    const { categoryOf, warning } = alignClasses(detector.classes, dataset.classes, source);
    if (warning) onWarning?.(warning);
    const labels = new Map(dataset.classes.map(({ categoryId, label }) => [categoryId, label]));
    const labelOf = (own: number) => labels.get(categoryOf(own) ?? Number.NaN);
    const known = new Set(detector.classes.map(({ label }) => labelOf(label)));
    const pictures: ReviewedPicture[] = [];
    for (const split of splits) {
      const annotated = new Map(split.samples.map(({ imageId, file: name, annotations }) => [imageId, { name, annotations }])); // biome-ignore format: one line
      for await (const looked of lookAtSplit(detector, split, { labelOf, batchSize })) {
        const { imageId, found } = looked;
        const { name, annotations } = annotated.get(imageId)!;
        const compared = comparable(annotations, looked, { split, name });
        pictures.push({ split: split.name, imageId, file: name, annotations: compared, found });
        onImages?.(pictures.length, total);
      }
    }
    const sha256 = await sha256File(resolve(file));
    return { pictures, known: (label: number) => known.has(label), about: { weights: source, sha256 }, device: used.name }; // biome-ignore format: one line
  } finally {
    await detector.close();
  }
}

/** Labels with masks as run lengths of the picture's size, where detections have masks to compare them with; else with those of the file. */
function comparable(
  annotations: readonly Annotation[],
  { found, size }: LookedAtPicture,
  { split, name }: { split: Split; name: string },
): readonly Annotation[] {
  if (!found.some(({ mask }) => mask)) return annotations;
  return annotations.map((annotation) => {
    const mask = annotatedMask(annotation, split.polygons);
    if (!mask) return annotation;
    const where = `${name}, annotation ${annotation.id}`;
    return { ...annotation, mask: packMask(maskRuns(mask, { size, rule: split.polygons ?? "coco", where })) };
  });
}
