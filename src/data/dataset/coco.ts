// COCO annotation files; the class table follows the reference's `datasets/coco.py` (filter_parent_categories, ConvertCoco).

import type { Mask, Shape } from "../../instance/instance.ts";
import { maskBox } from "../../instance/maskBox.ts";
import { UserError } from "../../util/errors.ts";
import { isNumbers, isObject } from "../../util/untrusted/json.ts";
import { keepOf, readJsonLists } from "../../util/untrusted/jsonLists.ts";
import { MARK_KEY, markReader, scoreIn } from "./byModel/marks.ts";
import type { Located } from "./listing.ts";
import {
  type Annotation,
  boxFault,
  type ClassEntry,
  doubles,
  type Problem,
  type Sample,
  type SplitName,
} from "./sample.ts";

type Json = Record<string, unknown>;
type Category = { id: number; name: string; supercategory: unknown };

/** A COCO file as parsed: what is used of its entries, of which only the categories are checked. */
export type CocoFile = {
  path: string;
  images: Json[];
  annotations: Json[];
  categories: Category[];
  /** How labels were made that have the mark of a model, as far as the file says so. */
  models?: unknown;
};

/** What is kept of an entry: a large file's others would fill the memory. */
const KEEP = {
  images: keepOf((image) => ({
    id: image.id,
    file_name: cocoFileName(image),
    width: image.width,
    height: image.height,
    ...ofModel(image),
  })),
  annotations: keepOf(
    ({ id, image_id, category_id, bbox, area, iscrowd, segmentation, keypoints, made_by_model, score }) => ({
      id,
      image_id,
      category_id,
      bbox,
      area,
      iscrowd,
      segmentation,
      keypoints,
      ...ofModel({ made_by_model, score }),
    }),
  ),
  categories: keepOf(({ id, name, supercategory }) => ({ id, name, supercategory })),
  info: (info: unknown) => info,
};

/** The mark of a label that a model made, and its score. */
function ofModel({ [MARK_KEY]: mark, score }: Readonly<Json>): Json {
  return mark === undefined ? {} : { [MARK_KEY]: mark, score };
}

/**
 * Read a COCO annotation file, of which only what is used is held: it may be longer than a text can be. Bare NaN and Infinity, which Python writes, are read as null.
 * Throws UserError where the file is missing, is no JSON or lacks `images` or `categories`.
 */
export async function readCoco(path: string): Promise<CocoFile> {
  const json = await readJsonLists(path, { keep: KEEP, bareNumbers: true });
  if (!isObject(json)) throw notCoco(path, "the top level is not an object");
  const list = (key: string, required: boolean): Json[] => {
    const value = json[key];
    if (value === undefined && !required) return [];
    if (!Array.isArray(value)) throw notCoco(path, `"${key}" is ${value === undefined ? "missing" : "not a list"}`);
    const bad = value.findIndex((entry) => !isObject(entry));
    if (bad >= 0) throw notCoco(path, `entry ${bad} of "${key}" is not an object`);
    return value as Json[];
  };
  const categories = list("categories", true).map((entry, i): Category => {
    const id = toInteger(entry.id);
    if (id === null) throw notCoco(path, `category ${i} has no integer "id" (it is ${JSON.stringify(entry.id)})`);
    if (typeof entry.name !== "string") throw notCoco(path, `category ${id} has no "name"`);
    return { id, name: entry.name, supercategory: entry.supercategory };
  });
  const seen = new Map<number, string>();
  for (const { id, name } of categories) {
    if (seen.has(id)) throw notCoco(path, `categories "${seen.get(id)}" and "${name}" share the id ${id}`);
    seen.set(id, name);
  }
  const models = isObject(json.info) ? json.info[MARK_KEY] : undefined;
  return { path, images: list("images", true), annotations: list("annotations", false), categories, models };
}

/** The `file_name` of an image's entry; LVIS has a `coco_url` in its place, of which the path below the host is the name. */
export function cocoFileName({ file_name: name, coco_url: url }: Readonly<Record<string, unknown>>): unknown {
  return name === undefined && typeof url === "string" ? /^https?:\/\/[^/]+\/(.+)$/.exec(url)?.[1] : name;
}

/**
 * Labels 0..N-1 in the order of the category ids. A category that another one names as its supercategory and that no
 * annotation uses is a grouping node (the root that Roboflow writes) and gets no label.
 */
export function cocoClasses(file: CocoFile): ClassEntry[] {
  const ordered = [...file.categories].sort((a, b) => a.id - b.id);
  const parents = new Set(ordered.filter((c) => c.supercategory !== c.name).map((c) => c.supercategory));
  for (const placeholder of ["", "none", "null", null, undefined]) parents.delete(placeholder);
  const used = new Set(file.annotations.map((a) => toInteger(a.category_id)));
  const kept = ordered.filter((c) => !parents.has(c.name) || used.has(c.id));
  const classes = kept.length > 0 ? kept : ordered;
  if (classes.length === 0) throw notCoco(file.path, `"categories" is empty`);
  return classes.map(({ id, name }, label) => ({ name, categoryId: id, label }));
}

type Report = (
  kind: Problem["kind"],
  severity: Problem["severity"],
  at: { file: string; id?: number },
  message: string,
) => void;

/**
 * The samples of a COCO file in the order of their image ids, labelled by a class table (the training split's), and
 * everything that is wrong with them. What is in error is left out of the samples, and so is all that belongs to it; `locate`
 * finds a file by its name in `folder`.
 */
export async function cocoSamples(
  file: CocoFile,
  classes: readonly ClassEntry[],
  { split, folder, locate }: { split: SplitName; folder: string; locate: (name: string) => Promise<Located | null> },
): Promise<{ samples: Sample[]; problems: Problem[] }> {
  const problems: Problem[] = [];
  const report: Report = (kind, severity, { file: name, id }, message) =>
    problems.push({ kind, severity, split, file: name, ...(id === undefined ? {} : { annotationId: id }), message });
  const markIn = markReader(file.path, file.models);
  const images = await cocoImages(file, { folder, locate, report, markIn });
  addAnnotations(file, images, { classes, report, markIn });
  const samples = [...images.byId.values()].sort((a, b) => a.imageId - b.imageId);
  for (const { file: name, annotations } of samples)
    for (const message of doubles(annotations, classes))
      report("duplicate-box", "warning", { file: name }, `${file.path}: ${name} ${message}.`);
  return { samples, problems };
}

/** Images by their id, without annotations yet; `refused`: ids of those that were reported. */
type Images = { byId: Map<number, Sample>; refused: Set<number> };
type MarkIn = ReturnType<typeof markReader>;

async function cocoImages(
  file: CocoFile,
  {
    folder,
    locate,
    report,
    markIn,
  }: { folder: string; locate: (name: string) => Promise<Located | null>; report: Report; markIn: MarkIn },
): Promise<Images> {
  const { path } = file;
  const images: Images = { byId: new Map(), refused: new Set() };
  const names = new Set<string>();
  for (const [i, image] of file.images.entries()) {
    const imageId = toInteger(image.id);
    const name = image.file_name;
    if (isTooLarge(image.id)) {
      const why = "is above 2^53 and cannot be told from its neighbours: number the images from 1";
      report("malformed", "error", { file: path }, `${path}: the id of image ${i}, ${image.id}, ${why}.`);
    } else if (imageId === null || typeof name !== "string" || name === "") {
      report("malformed", "error", { file: path }, `${path}: image ${i} needs an integer "id" and a "file_name".`);
    } else if (images.byId.has(imageId)) {
      const other = images.byId.get(imageId)!.file;
      const message = `${path}: images ${other} and ${name} share the id ${imageId}.`;
      report("duplicate-image", "error", { file: name }, message);
    } else {
      if (names.has(name)) report("duplicate-image", "warning", { file: name }, `${path}: ${name} is listed twice.`);
      names.add(name);
      const place = await locate(name);
      if (place === null) {
        images.refused.add(imageId);
        report("escaping-path", "error", { file: name }, `${path}: image ${name} lies outside the folder of images.`);
        continue;
      }
      if (!place.there)
        report("missing-image", "error", { file: name }, `${path} lists ${name}, which is not in ${folder}.`);
      const [width, height] = [toSize(image.width), toSize(image.height)];
      const byModel = markIn(image[MARK_KEY]);
      const sample: Sample = { imageId, file: name, path: place.path, width, height, annotations: [] };
      images.byId.set(imageId, { ...sample, ...(byModel && { byModel }) });
    }
  }
  return images;
}

function addAnnotations(
  file: CocoFile,
  { byId, refused }: Images,
  { classes, report, markIn }: { classes: readonly ClassEntry[]; report: Report; markIn: MarkIn },
): void {
  const labels = new Map(classes.map((c) => [c.categoryId, c.label]));
  const categoryNames = new Map(file.categories.map((c) => [c.id, c.name]));
  const ids = new Set<number>();
  for (const [i, entry] of file.annotations.entries()) {
    const id = toInteger(entry.id) ?? i;
    const where = `${file.path}: annotation ${id}`;
    const imageId = toInteger(entry.image_id) ?? Number.NaN;
    const sample = byId.get(imageId);
    if (refused.has(imageId) || isTooLarge(entry.image_id)) continue; // its image was reported
    if (!sample) {
      const shown = JSON.stringify(entry.image_id);
      const message = `${where} is of image ${shown}, which is not listed.`;
      report("unknown-image", "warning", { file: file.path, id }, message);
      continue;
    }
    const at = { file: sample.file, id };
    const of = `${where} (image ${sample.file})`;
    if (ids.has(id)) report("duplicate-annotation", "warning", at, `${where} occurs twice (image ${sample.file}).`);
    ids.add(id);
    const categoryId = toInteger(entry.category_id);
    const label = categoryId === null ? undefined : labels.get(categoryId);
    if (categoryId === null || label === undefined) {
      const known = categoryId === null ? undefined : categoryNames.get(categoryId);
      const shown = `${JSON.stringify(entry.category_id)}${known === undefined ? "" : ` ("${known}")`}`;
      const table = `is of category ${shown}, which is not in the class table of the training split`;
      report("unknown-category", "error", at, `${of} ${table}.`);
      continue;
    }
    const shape = shapeOf(entry);
    const box = isMissing(entry.bbox) ? shape.mask && maskBox(shape.mask) : toBox(entry.bbox);
    if (!box) {
      report("box-not-a-number", "error", at, `${of} has no "bbox", and no mask that gives one.`);
      continue;
    }
    const fault = boxFault(box, sample.width, sample.height);
    if (fault) report(fault.kind, fault.severity, at, `${of} ${fault.reason}.`);
    if (fault?.severity === "error") continue;
    if (isUnreadable(entry.segmentation))
      report("mask-unusable", "warning", at, `${of} has a segmentation that is neither polygons nor run lengths.`);
    const area = typeof entry.area === "number" ? entry.area : (box[2] - box[0]) * (box[3] - box[1]);
    const crowd = entry.iscrowd === 1 || entry.iscrowd === true;
    const byModel = markIn(entry[MARK_KEY]);
    const score = byModel && scoreIn(entry.score);
    const mark = { ...(byModel && { byModel }), ...(score !== undefined && { score }) };
    sample.annotations.push({ id, categoryId, label, box, area, crowd, ...shape, ...mark });
  }
}

/** Mask and keypoints of an entry, as far as they can be read: a later check says what is wrong with them. */
function shapeOf({ segmentation, keypoints }: Json): Shape {
  const mask = cocoMask(segmentation);
  return { ...(mask && { mask }), ...(isNumbers(keypoints) && keypoints.length > 0 && { keypoints }) };
}

/** A segmentation of a file; undefined where there is none, or one that cannot be read. */
export function cocoMask(value: unknown): Mask | undefined {
  if (Array.isArray(value)) {
    const polygons = value.filter(isNumbers).filter(({ length }) => length > 0);
    return polygons.length > 0 ? { polygons } : undefined;
  }
  if (!isObject(value)) return undefined;
  const { size, counts } = value;
  if (!isNumbers(size) || size.length !== 2 || !(typeof counts === "string" || isNumbers(counts))) return undefined;
  return { size: [size[0]!, size[1]!], counts };
}

function isUnreadable(segmentation: unknown): boolean {
  if (segmentation === undefined || segmentation === null) return false;
  return Array.isArray(segmentation) ? !segmentation.every(isNumbers) : !cocoMask(segmentation);
}

/** Some exporters leave the box out where there is a segmentation, or write an empty list. */
function isMissing(box: unknown): boolean {
  return box === undefined || box === null || (Array.isArray(box) && box.length === 0);
}

function toBox(value: unknown): Annotation["box"] {
  const nan = Number.NaN;
  if (!Array.isArray(value) || value.length !== 4 || !value.every((v) => typeof v === "number"))
    return [nan, nan, nan, nan];
  const [x, y, w, h] = value as [number, number, number, number];
  return [x, y, x + w, y + h];
}

function toSize(value: unknown): number | null {
  return typeof value === "number" && value > 0 ? value : null;
}

/** An integer, also from a string of digits (some exporters write ids so); else null. */
function toInteger(value: unknown): number | null {
  if (typeof value === "number") return Number.isInteger(value) ? value : null;
  return typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : null;
}

/** JSON readers round such a number, so two of them may be one. */
function isTooLarge(value: unknown): boolean {
  return (typeof value === "number" || (typeof value === "string" && /^-?\d+$/.test(value))) && Math.abs(Number(value)) > Number.MAX_SAFE_INTEGER; // biome-ignore format: one line
}

function notCoco(path: string, why: string): UserError {
  return new UserError(`${path} is not a COCO annotation file: ${why}.`, {
    hint: 'It needs the lists "images", "annotations" and "categories".',
  });
}
