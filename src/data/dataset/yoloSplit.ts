// Where the images of a YOLO split lie, and the text file of boxes of each: a folder, or a list of folders and of files.

import { stat } from "node:fs/promises";
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { UserError } from "../../util/errors.ts";
import { isWithin, readUtf8, refuseEscape } from "../../util/untrusted/regular.ts";
import { IMAGE_EXTENSIONS } from "../image/decode.ts";
import { beginningOf } from "./formats/folder.ts";
import { exists, isRooted, type Located, listFiles, openListing, pathEnds } from "./listing.ts";
import type { SplitName } from "./sample.ts";

/**
 * `images`: the folder that names are relative to; `labels`: where the boxes are from, for people. Files in order of their names, each once;
 * `again`: what is wrong with lists that name one more often; `strays`: files of boxes beside those of the images that are of no image.
 */
export type YoloSplit = {
  images: string;
  labels: string;
  files: YoloImage[];
  again: { name: string; why: string }[];
  strays: string[];
};

/** An image and its text file of boxes, which need not be there. */
type YoloImage = { name: string; path: string; label: string };

type Folders = { images: string; labels: string };

/** Bytes of a list of images. */
const MOST_LIST_BYTES = 256 << 20;

/**
 * A split as the file declares it, else `train|valid|val|test` with `images` and `labels` in it; null where there is none.
 * Throws a UserError where it is declared and cannot be found.
 */
export async function findYoloSplit(
  root: string,
  { path, fields, name }: { path: string; fields: Record<string, unknown>; name: SplitName },
): Promise<YoloSplit | null> {
  const key = name === "val" && fields.val === undefined ? "valid" : name;
  const declared = fields[key];
  if (declared === undefined || declared === null) {
    for (const folder of name === "val" ? ["valid", "val"] : [name]) {
      const [images, labels] = [join(root, folder, "images"), join(root, folder, "labels")];
      if ((await isFolder(images)) && (await isFolder(labels))) return inFolder({ images, labels });
    }
    return null;
  }
  const places = Array.isArray(declared) ? declared : [declared];
  if (places.length === 0 || !places.every((place) => typeof place === "string"))
    throw new UserError(`${path}: "${key}" must be a folder of images, a .txt list of images, or a list of these.`);
  const base = typeof fields.path === "string" ? fields.path : "";
  const found: (Folders | Listed)[] = [];
  for (const place of places as string[]) found.push(await findPlace(root, { path, key, base, place }));
  const [only] = found;
  if (found.length === 1 && only && !("files" in only)) return inFolder(only);
  const files = new Map<string, YoloImage>();
  const strays = new Set<string>();
  const again: YoloSplit["again"] = [];
  for (const [i, one] of found.entries()) {
    const some = "files" in one ? one : await inFolder(one);
    for (const stray of some.strays) strays.add(stray);
    for (const { path: image, label } of some.files) {
      const name = relative(root, image);
      if (files.has(image)) again.push({ name, why: `${path}: "${key}" names ${name} again in ${places[i]}` });
      files.set(image, { name, path: image, label });
    }
  }
  const sorted = [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { images: root, labels: path, files: sorted, again, strays: [...strays] };
}

async function inFolder({ images, labels }: Folders): Promise<YoloSplit> {
  const names = (await listFiles(images)).filter(isImage);
  const texts = await listFiles(labels);
  const byForm = new Map(texts.map((text) => [text.normalize("NFC"), text])); // its name may be in another Unicode form than its image's
  const files = names.map((name) => {
    const text = byForm.get(asText(name).normalize("NFC")) ?? asText(name);
    return { name, path: join(images, name), label: join(labels, text) };
  });
  return { images, labels, files, again: [], strays: await straysOf(texts, { names, labels }) };
}

/** Text files with rows of boxes whose names are of no image: of one that was renamed, is of a format that is not read, or is gone. */
async function straysOf(
  texts: readonly string[],
  { names, labels }: { names: readonly string[]; labels: string },
): Promise<string[]> {
  const own = new Set(names.map((name) => asText(name).normalize("NFC")));
  const strays: string[] = [];
  for (const text of texts) {
    if (!text.endsWith(".txt") || own.has(text.normalize("NFC"))) continue;
    const path = join(labels, text);
    if (/^\s*\d+(\s+[-\d.e]+){4}/i.test(await beginningOf(path, { bytes: 1024 }))) strays.push(path);
  }
  return strays;
}

/** The folders of a declared place, or the images of a list. */
async function findPlace(
  root: string,
  { path, key, base, place: declared }: { path: string; key: string; base: string; place: string },
): Promise<Folders | Listed> {
  const place = declared.replaceAll("\\", "/");
  // Roboflow writes "../train/images" for the folder beside the file, so a leading ".." is tried without it too.
  const bare = place.replace(/^(\.\.?\/)+/, "");
  for (const candidate of [join(base, place), place, bare, ...(isRooted(place) ? pathEnds(place) : [])]) {
    const there = resolve(root, candidate);
    if (!isWithin(there, root)) continue;
    if (/\.txt$/i.test(candidate) && (await exists(there)) && !(await isFolder(there))) return inList(root, there);
    const labels = (await isFolder(there)) ? await labelsOf(there, root) : null;
    if (labels) return labels;
  }
  const absolute = isAbsolute(place) || isAbsolute(base);
  throw new UserError(`${path}: the folder of "${key}" (${declared}) with its labels was not found under ${root}.`, {
    hint: absolute
      ? "Absolute paths must lie inside the data set's folder."
      : "Images go to images/, labels to labels/ beside it.",
  });
}

/** What a list names. */
type Listed = Pick<YoloSplit, "files" | "strays">;

/** The images of a list, a path a line, relative to the list or to the data set's folder; of a path of another machine its end. */
async function inList(root: string, list: string): Promise<Listed> {
  await refuseEscape(list, root);
  const lines = (await readUtf8(list, { most: MOST_LIST_BYTES })).split(/\r?\n/).map((line) => line.trim());
  const locate = await openListing(root);
  const files: YoloImage[] = [];
  const folders = new Map<string, { labels: ReadonlyMap<string, string>; split: YoloSplit }>();
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const plain = line.replaceAll("\\", "/");
    const names = [join(relative(root, dirname(list)), line), line, plain.replace(/^data\//, ""), ...(isRooted(line) ? pathEnds(line) : [])]; // biome-ignore format: one line
    const path = await firstImage(names, locate);
    if (path === undefined)
      throw new UserError(`${list}, line ${i + 1}: there is no image ${line} under ${root}.`, {
        hint: "Paths in a list are relative to the list or to the data set's folder, and lie inside it.",
      });
    const folder = folders.get(dirname(path)) ?? (await besides(dirname(path), root));
    folders.set(dirname(path), folder);
    const label = folder.labels.get(path) ?? join(folder.split.labels, asText(basename(path)));
    files.push({ name: line, path, label });
  }
  return { files, strays: [...folders.values()].flatMap(({ split }) => split.strays) };
}

async function firstImage(
  names: readonly string[],
  locate: (name: string) => Promise<Located | null>,
): Promise<string | undefined> {
  for (const name of names) {
    const place = isImage(name) ? await locate(name) : null;
    if (place?.there && (await isFile(place.path))) return place.path;
  }
  return undefined;
}

/** A folder of images as a split, and its labels by image: below the `labels` beside the last `images` in its path that has one, else beside the images. */
async function besides(images: string, root: string) {
  const folders = await labelsOf(images, root);
  const split = await inFolder(folders?.images === images ? folders : { images, labels: images });
  return { split, labels: new Map(split.files.map(({ path, label }) => [path, label])) };
}

/** The labels of a folder of images: the last `images` in its path that has a `labels` beside it, else one in it. */
async function labelsOf(images: string, root: string): Promise<Folders | null> {
  const parts = images.split(sep);
  for (let i = parts.length - 1; i >= 0; i--) {
    if (parts[i] !== "images") continue;
    const labels = [...parts.slice(0, i), "labels", ...parts.slice(i + 1)].join(sep);
    if (isWithin(labels, root) && (await isFolder(labels))) return { images, labels };
  }
  const inner = { images: join(images, "images"), labels: join(images, "labels") };
  return (await isFolder(inner.images)) && (await isFolder(inner.labels)) ? inner : null;
}

function isImage(name: string): boolean {
  return IMAGE_EXTENSIONS.has(extname(name).toLowerCase());
}

function asText(image: string): string {
  return `${image.slice(0, -extname(image).length)}.txt`;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isFile(),
    () => false,
  );
}
