// Which image and which category an entry of a results file is of: by name where it has one, as ids may be numbered in another way.

import { UserError } from "../util/errors.ts";
import type { Category } from "./boxMatching.ts";

/** An object of a JSON file, and where it stands. */
export type Entry = Record<string, unknown>;
export type Where = { path: string; place: string };

/** Annotated images by the last part of their file names: ids, and all parts from the last one on. */
export type ImageNames = Map<string, { id: number; parts: string[] }[]>;

export function imageNames(images: readonly { id: number; file: unknown }[]): ImageNames {
  const names: ImageNames = new Map();
  for (const { id, file } of images) {
    if (typeof file !== "string" || file === "") continue;
    const parts = partsOf(file);
    const alike = names.get(parts[0]!);
    if (alike) alike.push({ id, parts });
    else names.set(parts[0]!, [{ id, parts }]);
  }
  return names;
}

/**
 * The id of the annotated image that an entry is of: the one with most folders of its `file_name` in common, else that of its
 * `image_id`. Throws a UserError where there is no such image, or its name fits several.
 */
export function imageOf(
  entry: Entry,
  where: Where,
  { imageIds, files }: { imageIds: ReadonlySet<number>; files: ImageNames },
): number {
  const id = integer(entry, "image_id", where);
  const { file_name: file } = entry;
  if (files.size === 0 || typeof file !== "string" || file === "") {
    if (!imageIds.has(id)) throw wrong(where, `belongs to image ${id}, which the annotations do not list`);
    return id;
  }
  const parts = partsOf(file);
  const alike = (files.get(parts[0]!) ?? []).map((one) => ({ id: one.id, common: common(one.parts, parts) }));
  const most = alike.reduce((so, { common }) => Math.max(so, common), 0);
  const best = alike.filter((one) => one.common === most);
  if (best.length === 0) throw wrong(where, `has the file_name ${file}, which the annotations do not list`);
  if (best.length === 1) return best[0]!.id;
  if (best.some((one) => one.id === id)) return id;
  throw wrong(where, `has the file_name ${file}, which fits ${best.length} images of the annotations`);
}

/**
 * New ids of annotated images: those that the results give them, so that ties between images are broken in the same order
 * however the annotations are numbered. `pairs`: of each detection the id in the annotations and the one in the results.
 * Ids stay where the results do not give each image one of its own.
 */
export function resultsNumbers(
  pairs: Iterable<readonly [annotated: number, given: number]>,
  imageIds: ReadonlySet<number>,
): (annotated: number) => number {
  const [numbers, taken] = [new Map<number, number>(), new Map<number, number>()];
  for (const [annotated, given] of pairs) {
    if ((numbers.get(annotated) ?? given) !== given || (taken.get(given) ?? annotated) !== annotated) return (id) => id;
    numbers.set(annotated, given);
    taken.set(given, annotated);
  }
  let free = 0;
  for (const id of [...imageIds, ...taken.keys()]) free = Math.max(free, id + 1);
  for (const id of imageIds) if (!numbers.has(id)) numbers.set(id, taken.has(id) ? free++ : id);
  return (id) => numbers.get(id) ?? id;
}

/** Category ids by name; null: several have it. */
type CategoryNames = { byName: Map<string, number | null>; byId: Map<number, string> };

export function categoryNames(categories: readonly Category[]): CategoryNames {
  const byName: CategoryNames["byName"] = new Map();
  for (const { id, name } of categories) byName.set(name, byName.has(name) ? null : id);
  return { byName, byId: new Map(categories.map(({ id, name }) => [id, name])) };
}

/**
 * The annotated category of an entry: that of its `category_name`, else of its `category_id`. Throws a UserError where its
 * name is not annotated, but its id is, as another class.
 */
export function categoryOf(entry: Entry, where: Where, { byName, byId }: CategoryNames): number {
  const id = integer(entry, "category_id", where);
  const { category_name: name } = entry;
  if (typeof name !== "string" || /^class \d+$/.test(name)) return id; // a model that does not know its classes' names
  const named = byName.get(name);
  if (named != null) return named;
  const annotated = byId.get(id);
  if (annotated === undefined || annotated === name || annotated === String(id)) return id;
  throw wrong(where, `is of ${name} by its category_name, but its category ${id} is annotated as ${annotated}`);
}

/** The whole number under a key. Throws a UserError. */
export function integer(entry: Entry, key: string, where: Where): number {
  const value = entry[key];
  if (Number.isSafeInteger(value)) return value as number;
  const has = value === undefined ? `no ${key}` : `the ${key} ${short(value)}`;
  throw wrong(where, `has ${has}, which must be a whole number`);
}

/** A value as JSON, cut where it is long. */
export function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}

export function wrong({ path, place }: Where, what: string): UserError {
  return new UserError(`${path}: ${place} ${what}.`);
}

/** The parts of a path from the last one on, whatever the system that wrote it. */
function partsOf(file: string): string[] {
  return file.normalize("NFC").split(/[/\\]+/).filter((part) => part !== "" && part !== ".").reverse(); // biome-ignore format: one line
}

/** How many parts two paths share, from the last one on. */
function common(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < a.length && a[count] === b[count]) count++;
  return count;
}
