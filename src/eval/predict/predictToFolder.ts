// Objects in pictures, written to a folder: a COCO results file, the pictures with boxes and masks drawn, labels.

import { mkdir, realpath, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { ClassEntry, ModelLabels } from "../../data/dataset/sample.ts";
import { drawObjects, encodePicture } from "../../data/image/draw.ts";
import { findImages, pictureNames, placeInside } from "../../data/image/imagePaths.ts";
import type { Mask } from "../../instance/instance.ts";
import { maskRuns } from "../../instance/masks/maskRuns.ts";
import { programVersion } from "../../run/environment.ts";
import { UserError } from "../../util/errors.ts";
import { fileError, sha256File, writeFileAtomic } from "../../util/files.ts";
import { type Crops, openCrops } from "./crops.ts";
import { type FoundObjects, type LabelFormat, openLabels } from "./labels/labelSet.ts";
import { uncertainTable } from "./labels/uncertainty.ts";
import type { PredictedObject } from "./objects.ts";
import { earlierFolders, makeNextFolder } from "./outFolder.ts";
import { type PredictOptions, predict } from "./predict.ts";
import { type Threshold, thresholdsByName } from "./threshold.ts";

export type PredictToFolderOptions = PredictOptions & {
  /** The folder to write to. Default: a new one in the current folder, `predictions`, `predictions-2` and so on. */
  out?: string | undefined;
  /** Whether to write pictures. Default true. */
  pictures?: boolean | undefined;
  /** Write what was found as labels: as a data set in one of the layouts, or (true) as YOLO's label files alone, one an image. Default false. */
  labels?: LabelFormat | false | undefined;
  /** Whether to write a picture of each object, in a folder for each class. Default false. */
  crops?: boolean | undefined;
  /** Called for each image that cannot be read. */
  onFailed?: ((message: string) => void) | undefined;
  /** Called when an image is done, `done` of `total`. */
  onImages?: ((done: number, total: number) => void) | undefined;
};

/** What was found in all images. `file_name` is the image's path; `picture` is null where none was written. */
export type PredictReport = {
  weights: string;
  threshold: number;
  /** Of the classes that have another one, by name. */
  thresholds: Record<string, number>;
  /** Who chose the threshold: the caller, the run that the weights are of, or nobody (0.5). */
  threshold_from: Threshold["from"];
  /** Objects more in all images that score above half of the threshold. */
  below: number;
  predictions: string;
  /** The folder of the labels; null where none were asked for. */
  labels: string | null;
  /** What the labels could not keep, and what else is to be known of them, a sentence each. */
  label_notes: string[];
  /** A table of all images, the most uncertain first; null where no labels were asked for. */
  uncertain: string | null;
  /** The folder of the objects' pictures; null where none were asked for. */
  crops: string | null;
  images: {
    id: number;
    file_name: string;
    width: number;
    height: number;
    picture: string | null;
    /** From 0 to 1: how near the scores are to the threshold. */
    uncertainty: number;
    /** Objects more that score above half of the threshold. */
    below: number;
    detections: CocoResult[];
  }[];
  failed: { file_name: string; error: string }[];
  /** Files in the folders given that are no images. */
  skipped: string[];
  /** What reading, the model and drawing took, without loading the model. */
  seconds: number;
  /** Images that a signal left undone. */
  undone: number;
};

type CocoResult = {
  image_id: number;
  category_id: number;
  bbox: [x: number, y: number, width: number, height: number];
  score: number;
  file_name: string;
  category_name: string;
  /** Of a segmenter: COCO's run lengths. */
  segmentation?: Mask;
};

/** A report of nothing yet. */
const EMPTY = {
  threshold: 0,
  thresholds: {},
  threshold_from: "default",
  below: 0,
  label_notes: [],
  uncertain: null,
  crops: null,
  seconds: 0,
} satisfies Partial<PredictReport>;

/** Names of the results file, and of the table of images by uncertainty. */
const RESULTS = "predictions.json";
const UNCERTAIN = "uncertain.csv";

/** Detect objects in images and write what was found. Throws a UserError where there is no image, or no model. */
export async function predictToFolder(options: PredictToFolderOptions): Promise<PredictReport> {
  const { out } = options;
  const except = out === undefined ? await earlierFolders() : [out];
  const found = await findImages(options.images, { except, streams: true });
  if (found.paths.length === 0) throw found.missing[0]?.error ?? new UserError("--images names no image.");
  if (out !== undefined) return predictInto(out, found, options);
  const made = await makeNextFolder();
  try {
    return await predictInto(made, found, options);
  } catch (error) {
    await rmdir(made).catch(() => {}); // where nothing was written to it
    throw error;
  }
}

async function predictInto(
  out: string,
  { paths, missing, others }: Awaited<ReturnType<typeof findImages>>,
  options: PredictToFolderOptions,
): Promise<PredictReport> {
  const { pictures = true, labels = false, crops = false, onFailed, onImages, onStart, weights } = options;
  const names = new Map(pictureNames(paths).map((name, i) => [paths[i]!, name]));
  if (pictures) await refuseOverwriting(out, names);
  const results = join(out, RESULTS);
  const labelled = labels ? await openLabels(out, { to: labels, results, images: paths }) : undefined;
  const cropsOf = crops ? openCrops(out, { results }) : undefined;
  await mkdir(out, { recursive: true }).catch((cause) => {
    throw fileError(out, "write", cause);
  });

  const total = paths.length + missing.length;
  const report: PredictReport = {
    ...EMPTY,
    ...{ weights, predictions: results, labels: labelled?.folder ?? null, skipped: others, undone: total },
    ...{ images: [], failed: [] },
  };
  const fail = (file: string, { message }: UserError) => {
    onFailed?.(message);
    report.failed.push({ file_name: file, error: message });
  };
  for (const { file, error } of missing) fail(file, error);
  let began = performance.now();
  let classes: readonly ClassEntry[] = [];
  let cut: Crops | undefined;
  let made: Promise<ModelLabels> | undefined;
  const found = predict({
    ...options,
    images: paths,
    onStart: (about) => {
      began = performance.now();
      classes = about.model.classes;
      cut = cropsOf?.(classes);
      report.crops = cut?.folder ?? null;
      report.weights = about.model.source;
      const { value: threshold, from: threshold_from } = about.threshold;
      Object.assign(report, { threshold, threshold_from, thresholds: thresholdsByName(about.threshold, classes) });
      if (labelled) made = howMade(about);
      onStart?.(about);
    },
  });
  let writing = Promise.resolve(); // one picture is drawn and written while the model is at the next images
  for await (const one of found) {
    if (one.error) fail(one.file, one.error);
    else {
      const picture = pictures ? await placeInside(out, names.get(one.file)!) : null;
      await writing;
      if (picture !== null) {
        writing = drawn(one, picture).then((bytes) => writeFileAtomic(picture, bytes));
        writing.catch(() => {}); // it is awaited below
      }
      await labelled?.write(one, names.get(one.file)!);
      await cut?.write({ image: one.image, objects: objectsInImage(one) }, names.get(one.file)!);
      const { imageId: id, file: file_name, image, size = image, objects, uncertainty, below } = one;
      report.below += below;
      const detections = objects.map((object) => toResult(object, id, file_name));
      const { width, height } = size;
      report.images.push({ id, file_name, width, height, picture, uncertainty, below, detections });
    }
    onImages?.(report.images.length + report.failed.length, total);
  }
  await writing;
  report.seconds = (performance.now() - began) / 1000;
  report.undone = total - report.images.length - report.failed.length;
  const rows = report.images.flatMap(({ detections }) => detections.map((row) => JSON.stringify(row)));
  await writeFileAtomic(results, rows.length > 0 ? `[\n${rows.join(",\n")}\n]\n` : "[]\n");
  if (labelled && made) {
    report.label_notes = await labelled.finish(classes, await made);
    report.uncertain = join(out, UNCERTAIN);
    await writeFileAtomic(report.uncertain, uncertainTable(report.images));
  }
  return report;
}

/** What the labels of a model are known by afterwards; its file is read now, as a run that goes on may replace it. */
function howMade({ model, threshold }: Parameters<NonNullable<PredictOptions["onStart"]>>[0]): Promise<ModelLabels> {
  const made = sha256File(model.file).then((sha256) => ({
    ...{ weights: model.source, sha256, program: `rfdetr-train ${programVersion()}` },
    ...{ date: new Date().toISOString(), threshold: Number(threshold.value.toFixed(6)) },
  }));
  made.catch(() => {}); // it is awaited at the end
  return made;
}

/** In pixels of the image that is there; without masks where that is not the whole one. */
function objectsInImage({ image, size, objects }: FoundObjects): PredictedObject[] {
  if (!size) return objects;
  const [across, down] = [image.width / size.width, image.height / size.height];
  return objects.map(({ mask: _, box: [x1, y1, x2, y2], ...rest }) => {
    return { ...rest, box: [x1 * across, y1 * down, x2 * across, y2 * down] };
  });
}

async function drawn(found: FoundObjects, name: string): Promise<Uint8Array> {
  const objects = objectsInImage(found).map(({ name: text, score, mask, box, label }) => ({
    ...{ box, label, text: `${text} ${score.toFixed(2)}` },
    mask: mask && maskRuns(mask, { size: [found.image.height, found.image.width], where: found.file }),
  }));
  return encodePicture(await drawObjects(found.image, objects), name);
}

/** Pictures must not take the place of the images that they are made of. */
async function refuseOverwriting(out: string, names: Map<string, string>): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => undefined);
  const sources = new Map(await Promise.all([...names.keys()].map(async (path) => [await real(path), path] as const)));
  for (const name of names.values()) {
    const place = await real(join(out, name));
    const source = place && sources.get(place);
    if (source !== undefined)
      throw new UserError(`--out ${out}: the picture ${join(out, name)} would take the place of the image ${source}.`, {
        hint: "Choose another folder, or leave the pictures out with --no-pictures.",
      });
  }
}

function toResult({ box, score, categoryId, name, mask }: PredictedObject, image: number, file: string): CocoResult {
  const round = (value: number, digits: number) => Number(value.toFixed(digits));
  const [x1, y1, x2, y2] = box;
  return {
    image_id: image,
    category_id: categoryId,
    bbox: [round(x1, 3), round(y1, 3), round(x2 - x1, 3), round(y2 - y1, 3)],
    score: round(score, 6),
    file_name: file,
    category_name: name,
    ...(mask && { segmentation: mask }),
  };
}
