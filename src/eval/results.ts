// COCO annotation and results files as people hand them in: read, checked entry by entry, what is wrong is reported with its place.

import { cocoFileName } from "../data/dataset/coco.ts";
import { UserError } from "../util/errors.ts";
import { isObject } from "../util/untrusted/json.ts";
import { keepOf, readJsonLists } from "../util/untrusted/jsonLists.ts";
import type { Category, Detection, GroundTruth } from "./boxMatching.ts";
import {
  categoryNames,
  categoryOf,
  type Entry,
  type ImageNames,
  imageNames,
  imageOf,
  integer,
  resultsNumbers,
  short,
  type Where,
  wrong,
} from "./identity.ts";

export type Annotations = {
  imageIds: Set<number>;
  /** The images' names, as far as the file has them. */
  files: ImageNames;
  categories: Category[];
  groundTruths: GroundTruth[];
};

/** Detections of a results file; `unknown` counts those left out, by category id that the annotations do not list. */
export type Results = {
  detections: Detection[];
  unknown: Map<number, number>;
  /** The number of an annotated image in the results. */
  numberOf: (imageId: number) => number;
};

/** What is kept of an entry: a large file's others would fill the memory. */
const ANNOTATIONS = {
  images: keepOf((image) => ({ id: image.id, file_name: cocoFileName(image) })),
  categories: keepOf(({ id, name }) => ({ id, name })),
  annotations: keepOf(({ id, image_id, category_id, bbox, area, iscrowd }) => {
    return { id, image_id, category_id, bbox, area, iscrowd };
  }),
};
const RESULTS = {
  "": keepOf(({ image_id, file_name, category_id, category_name, bbox, score }) => {
    return { image_id, file_name, category_id, category_name, bbox, score };
  }),
};

/** Read a COCO annotation file, of which only what is used is held: it may be longer than a text can be. Without `area` a box has its own; without `iscrowd` it is none. Throws UserError. */
export async function readAnnotations(path: string): Promise<Annotations> {
  const json = await readJsonLists(path, { keep: ANNOTATIONS });
  if (!isObject(json)) {
    throw new UserError(`${path} is no COCO annotation file: it is not a JSON object.`, {
      hint: "It must hold images, annotations and categories. Detections belong to --predictions.",
    });
  }
  const list = (key: string) => entries(json[key], { path, place: key });
  const images = Array.from(list("images"), ([where, image]) => {
    return { id: integer(image, "id", where), file: image.file_name };
  });
  const imageIds = new Set(images.map(({ id }) => id));
  const categories = Array.from(list("categories"), ([where, category]): Category => {
    const id = integer(category, "id", where);
    return { id, name: typeof category.name === "string" ? category.name : String(id) };
  });
  const categoryIds = new Set(categories.map(({ id }) => id));
  if (categoryIds.size < categories.length) throw new UserError(`${path}: two categories have the same id.`);
  const seen = new Set<number>();
  const groundTruths = Array.from(list("annotations"), ([where, annotation]): GroundTruth => {
    const id = integer(annotation, "id", where);
    const imageId = integer(annotation, "image_id", where);
    const categoryId = integer(annotation, "category_id", where);
    const bbox = box(annotation, where);
    const { area, iscrowd } = annotation;
    if (seen.has(id)) throw wrong(where, `has the id ${id} of another annotation`);
    seen.add(id);
    if (!imageIds.has(imageId)) throw wrong(where, `belongs to image ${imageId}, which is not among the images`);
    if (!categoryIds.has(categoryId))
      throw wrong(where, `has category ${categoryId}, which is not among the categories`);
    if (area != null && !(typeof area === "number" && Number.isFinite(area)))
      throw wrong(where, "has an area that is no number");
    return { id, imageId, categoryId, bbox, area: area == null ? bbox[2] * bbox[3] : area, isCrowd: Boolean(iscrowd) };
  });
  return { imageIds, files: imageNames(images), categories, groundTruths };
}

/**
 * Read a COCO results file: a list of { image_id, category_id, bbox, score }. Where an entry has a `file_name` or a
 * `category_name`, as those of `predict` have, these say what is meant: ids may be numbered in another way. Detections of categories that are not
 * listed are left out and counted. Throws UserError for a malformed entry, an image that is not annotated, and where
 * every detection was left out.
 */
export async function readResults(path: string, { imageIds, files, categories }: Annotations): Promise<Results> {
  const known = new Set(categories.map(({ id }) => id));
  const names = categoryNames(categories);
  const unknown = new Map<number, number>();
  const detections: Detection[] = [];
  const pairs: [annotated: number, given: number][] = [];
  for (const [where, result] of entries(await readJsonLists(path, { keep: RESULTS }), { path, place: "" })) {
    const imageId = imageOf(result, where, { imageIds, files });
    pairs.push([imageId, result.image_id as number]);
    const categoryId = categoryOf(result, where, names);
    const bbox = box(result, where);
    const { score } = result;
    if (typeof score !== "number" || !Number.isFinite(score)) throw wrong(where, "has no score that is a number");
    if (known.has(categoryId)) detections.push({ imageId, categoryId, bbox, score });
    else unknown.set(categoryId, (unknown.get(categoryId) ?? 0) + 1);
  }
  if (pairs.length > 0 && detections.length === 0) {
    const ids = (values: Iterable<number>) => [...values].slice(0, 10).join(", ");
    throw new UserError(`${path}: no detection is of a category of the annotations.`, {
      hint: `Its category ids are ${ids(unknown.keys())}; those of the annotations are ${ids(known)}.`,
    });
  }
  return { detections, unknown, numberOf: resultsNumbers(pairs, imageIds) };
}

/** The entries of a list with their places, one after the other: all of them together would take more than the list. */
function* entries(list: unknown, { path, place }: Where): Generator<[Where, Entry]> {
  if (!Array.isArray(list)) {
    if (place) throw new UserError(`${path}: "${place}" is missing or no list.`);
    throw new UserError(`${path} is no results file: it is not a list.`, {
      hint: "It must be a list of { image_id, category_id, bbox, score }.",
    });
  }
  for (let i = 0; i < list.length; i++) {
    const where = { path, place: `${place}[${i}]` };
    const entry: unknown = list[i];
    if (typeof entry !== "object" || entry === null) throw wrong(where, "is no object");
    yield [where, entry as Entry];
  }
}

function box(entry: Entry, where: Where): GroundTruth["bbox"] {
  const { bbox } = entry;
  if (!Array.isArray(bbox) || bbox.length !== 4 || !bbox.every((value) => Number.isFinite(value))) {
    throw wrong(where, `has the bbox ${short(bbox)}, which must be four numbers: x, y, width, height`);
  }
  if (bbox[2] < 0 || bbox[3] < 0) throw wrong(where, `has a bbox of negative size: ${short(bbox)}`);
  return bbox as unknown as GroundTruth["bbox"];
}
