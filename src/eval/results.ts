// COCO annotation and results files as people hand them in: read, checked entry by entry, what is wrong is reported with its place.

import { MARK_KEY } from "../data/dataset/byModel/marks.ts";
import { cocoFileName, cocoMask } from "../data/dataset/coco.ts";
import { maskBox } from "../instance/maskBox.ts";
import { maskRuns } from "../instance/masks/maskRuns.ts";
import { packMask } from "../instance/masks/runs.ts";
import { UserError } from "../util/errors.ts";
import { isObject } from "../util/untrusted/json.ts";
import { keepOf, readJsonLists } from "../util/untrusted/jsonLists.ts";
import { openRegular } from "../util/untrusted/regular.ts";
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
  /** Of the images, as far as the file has them. */
  sizes: ReadonlyMap<number, Size | null>;
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
  images: keepOf((image) => ({
    id: image.id,
    file_name: cocoFileName(image),
    width: image.width,
    height: image.height,
    [MARK_KEY]: image[MARK_KEY],
  })),
  categories: keepOf(({ id, name }) => ({ id, name })),
  annotations: keepOf(({ id, image_id, category_id, bbox, area, iscrowd, made_by_model }) => {
    return { id, image_id, category_id, bbox, area, iscrowd, made_by_model };
  }),
};
const ANNOTATIONS_WITH_MASKS = {
  ...ANNOTATIONS,
  annotations: keepOf(({ id, image_id, category_id, bbox, area, iscrowd, segmentation, made_by_model }) => {
    return { id, image_id, category_id, bbox, area, iscrowd, segmentation, made_by_model };
  }),
};
const RESULTS = {
  "": keepOf(({ image_id, file_name, category_id, category_name, bbox, score, segmentation }) => {
    return { image_id, file_name, category_id, category_name, bbox, score, segmentation };
  }),
};

/** Of a results file, in which its first entry says whether it has a mask. */
const FIRST_BYTES = 1 << 16;

/** Whether the entries of a results file have masks, too. */
export async function resultsHaveMasks(path: string): Promise<boolean> {
  const file = await openRegular(path).catch(() => null); // reading the file says what is wrong
  try {
    const { buffer, bytesRead } = (await file?.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0)) ?? {};
    return buffer?.subarray(0, bytesRead).includes('"segmentation"') ?? false;
  } finally {
    await file?.close();
  }
}

/** Read a COCO annotation file, of which only what is used is held: it may be longer than a text can be. Without `area` a box has its own; without `iscrowd` it is none. `masks`: with the masks, as packed run lengths. Throws UserError. */
export async function readAnnotations(path: string, { masks = false }: { masks?: boolean } = {}): Promise<Annotations> {
  const json = await readJsonLists(path, { keep: masks ? ANNOTATIONS_WITH_MASKS : ANNOTATIONS });
  if (!isObject(json)) {
    throw new UserError(`${path} is no COCO annotation file: it is not a JSON object.`, {
      hint: "It must hold images, annotations and categories. Detections belong to --predictions.",
    });
  }
  const list = (key: string) => entries(json[key], { path, place: key });
  for (const key of ["images", "annotations"])
    for (const [where, entry] of list(key)) if (entry[MARK_KEY]) throw measuresModels(where);
  const images = Array.from(list("images"), ([where, image]) => {
    return { id: integer(image, "id", where), file: image.file_name, size: sizeOf(image) };
  });
  const sizes = new Map(images.map(({ id, size }) => [id, size]));
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
    const mask = masks && packedMask(annotation, where, sizes.get(imageId));
    const isCrowd = Boolean(iscrowd);
    const own = { id, imageId, categoryId, bbox, area: area == null ? bbox[2] * bbox[3] : area, isCrowd };
    return mask ? { ...own, mask } : own;
  });
  return { imageIds, files: imageNames(images), sizes, categories, groundTruths };
}

/** Annotations that a model made would say how far two models agree. */
function measuresModels({ path, place }: Where): UserError {
  return new UserError(`${path}: ${place} is labelled by a model and not yet seen by a person.`, {
    hint: `Once a person has corrected its labels, delete the key "${MARK_KEY}" from all images and annotations in it.`,
  });
}

/**
 * Read a COCO results file: a list of { image_id, category_id, bbox, score }, or with a `segmentation` beside
 * the bbox or in its place. Where an entry has a `file_name` or a
 * `category_name`, as those of `predict` have, these say what is meant: ids may be numbered in another way. Detections of categories that are not
 * listed are left out and counted. Throws UserError for a malformed entry, an image that is not annotated, and where
 * every detection was left out.
 */
export async function readResults(path: string, { imageIds, files, sizes, categories }: Annotations): Promise<Results> {
  const known = new Set(categories.map(({ id }) => id));
  const names = categoryNames(categories);
  const unknown = new Map<number, number>();
  const detections: Detection[] = [];
  const pairs: [annotated: number, given: number][] = [];
  for (const [where, result] of entries(await readJsonLists(path, { keep: RESULTS }), { path, place: "" })) {
    const imageId = imageOf(result, where, { imageIds, files });
    pairs.push([imageId, result.image_id as number]);
    const categoryId = categoryOf(result, where, names);
    const mask = packedMask(result, where, sizes.get(imageId));
    const bbox = result.bbox == null && mask ? boxAround(mask) : box(result, where);
    const { score } = result;
    if (typeof score !== "number" || !Number.isFinite(score)) throw wrong(where, "has no score that is a number");
    if (known.has(categoryId)) detections.push({ imageId, categoryId, bbox, score, ...(mask && { mask }) });
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

type Size = readonly [height: number, width: number];
type Packed = ReturnType<typeof packMask>;

function sizeOf({ width, height }: Entry): Size | null {
  return typeof width === "number" && typeof height === "number" && width > 0 && height > 0 ? [height, width] : null;
}

/** The mask of an entry; undefined where it has none. Throws a UserError for one that cannot be used. */
function packedMask({ segmentation }: Entry, where: Where, size: Size | null = null): Packed | undefined {
  if (segmentation == null || (Array.isArray(segmentation) && segmentation.length === 0)) return undefined;
  const mask = cocoMask(segmentation);
  if (!mask)
    throw wrong(where, `has the segmentation ${short(segmentation)}, which is neither polygons nor run lengths`);
  return packMask(maskRuns(mask, { size, where: `${where.path}: ${where.place}` }));
}

function boxAround(mask: Packed): GroundTruth["bbox"] {
  const [x1, y1, x2, y2] = maskBox(mask) ?? [0, 0, 0, 0];
  return [x1, y1, x2 - x1, y2 - y1];
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
