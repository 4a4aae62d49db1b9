// YOLO data sets (data.yaml, a text file of boxes an image), as the reference's `datasets/yolo.py` reads them.

import { stat } from "node:fs/promises";
import { extname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Instance } from "../../instance/instance.ts";
import { UserError } from "../../util/errors.ts";
import { isMissing, readRegularText } from "../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES, parseYaml } from "../../util/untrusted/yaml.ts";
import { IMAGE_EXTENSIONS, imageHeader, type Reading } from "../image/decode.ts";
import { listFiles } from "./listing.ts";
import { boxFault, type ClassEntry, doubles, type Problem, type Sample, type SplitName } from "./sample.ts";

/** Bytes of the boxes of one image: a million corners of polygons. */
const MOST_LABEL_BYTES = 16 << 20;

/** A YOLO data set: class names and, per split that exists, the folders of images and of labels. */
export type YoloFile = {
  path: string;
  names: string[];
  splits: Partial<Record<SplitName, { images: string; labels: string }>>;
};

/**
 * Read data.yaml and find the folders of its splits, all inside `root`. Throws UserError on a file that is no mapping,
 * on class names that are not 0..N-1, and on a split that is declared and cannot be found.
 */
export async function readYolo(root: string, path: string): Promise<YoloFile> {
  const data = parseYaml(await readRegularText(path, { most: MOST_YAML_BYTES }), path).values;
  if (typeof data !== "object" || data === null || Array.isArray(data))
    throw new UserError(`${path} is not a YOLO data file: it holds no mapping.`);
  const fields = data as Record<string, unknown>;
  const splits: YoloFile["splits"] = {};
  for (const name of ["train", "val", "test"] as const) {
    const found = await splitFolders(root, path, fields, name);
    if (found) splits[name] = found;
  }
  return { path, names: classNames(fields.names, path), splits };
}

export function yoloClasses(file: YoloFile): ClassEntry[] {
  return file.names.map((name, label) => ({ name, categoryId: label, label }));
}

/** The samples of one split in the order of their file names, image ids counted from 1, and everything wrong with them. */
export async function yoloSamples(
  file: YoloFile,
  split: SplitName,
  reading: Reading,
): Promise<{ samples: Sample[]; problems: Problem[] }> {
  const { images, labels } = file.splits[split]!;
  const names = (await listFiles(images)).filter((name) => IMAGE_EXTENSIONS.has(extname(name).toLowerCase()));
  const samples: Sample[] = [];
  const problems: Problem[] = [];
  const classes = yoloClasses(file);
  let annotationId = 1;
  for (const [i, name] of names.entries()) {
    const path = join(images, name);
    // A broken image is left to whoever decodes it; its boxes cannot be told without its size.
    const size = await imageHeader(path, reading).catch((cause: UserError) => cause);
    const sample: Sample = { imageId: i + 1, file: name, path, width: null, height: null, annotations: [] };
    samples.push(sample);
    if (size instanceof Error) {
      problems.push({ kind: "corrupt-image", severity: "error", split, file: name, message: size.message });
      continue;
    }
    [sample.width, sample.height] = [size.width, size.height];
    const labelPath = join(labels, `${name.slice(0, -extname(name).length)}.txt`);
    for (const { line, number } of await labelLines(labelPath)) {
      const id = annotationId++;
      const where = `${labelPath}, line ${number}`;
      const parsed = parseLine(line, size.width, size.height);
      const report = (kind: Problem["kind"], severity: Problem["severity"], why: string) =>
        problems.push({ kind, severity, split, file: name, annotationId: id, message: `${where} ${why}.` });
      if (typeof parsed === "string") {
        report("malformed", "error", parsed);
        continue;
      }
      const { label, box, mask } = parsed;
      if (label >= file.names.length) {
        report(
          "unknown-category",
          "error",
          `has class ${label}; ${file.path} names classes 0 to ${file.names.length - 1}`,
        );
        continue;
      }
      const fault = boxFault(box, size.width, size.height);
      if (fault) report(fault.kind, fault.severity, fault.reason);
      if (fault?.severity === "error") continue;
      const area = (box[2] - box[0]) * (box[3] - box[1]);
      sample.annotations.push({ id, categoryId: label, label, box, area, crowd: false, ...(mask && { mask }) });
    }
    for (const phrase of doubles(sample.annotations, classes))
      problems.push({
        kind: "duplicate-box",
        severity: "warning",
        split,
        file: name,
        message: `${labelPath} ${phrase}.`,
      });
  }
  return { samples, problems };
}

async function labelLines(path: string): Promise<{ line: string; number: number }[]> {
  try {
    const lines = (await readRegularText(path, { most: MOST_LABEL_BYTES }))
      .split(/\r?\n/)
      .map((line, i) => ({ line: line.trim(), number: i + 1 }));
    return lines.filter(({ line }) => line !== "");
  } catch (cause) {
    if (isMissing(cause)) return []; // an image without a label file is background
    throw cause;
  }
}

/** `class cx cy width height`, or `class x1 y1 x2 y2 x3 y3 ...` (a polygon), relative to the image; or what is wrong. */
function parseLine(line: string, width: number, height: number): string | Instance {
  const [first, ...rest] = line.split(/\s+/);
  if (!/^\d+$/.test(first!)) return `starts with "${first}", which is no class number`;
  if (rest.length !== 4 && (rest.length < 6 || rest.length % 2 !== 0))
    return `has ${rest.length + 1} fields; a box has 5, a polygon an odd number from 7 on`;
  const v = rest.map(Number);
  if (v.length === 4) {
    const [cx, cy, w, h] = v as [number, number, number, number];
    const [x1, y1] = [(cx - w / 2) * width, (cy - h / 2) * height];
    return { label: Number(first), box: [x1, y1, (cx + w / 2) * width, (cy + h / 2) * height] };
  }
  const [xs, ys] = [v.filter((_, i) => i % 2 === 0), v.filter((_, i) => i % 2 === 1)];
  return {
    label: Number(first),
    box: [least(xs) * width, least(ys) * height, most(xs) * width, most(ys) * height],
    mask: { polygons: [v.map((one, i) => one * (i % 2 === 0 ? width : height))] },
  };
}

// Not Math.min(...values): a polygon may have more corners than a call can have arguments.
const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

function classNames(names: unknown, path: string): string[] {
  const list = Array.isArray(names) ? names : typeof names === "object" && names !== null ? byNumber(names) : null;
  if (!list || list.length === 0)
    throw new UserError(`${path}: "names" must be a list, or a mapping of the numbers 0 to N-1 to names.`);
  return list.map(String);
}

function byNumber(names: object): unknown[] | null {
  const entries = Object.entries(names).map(([key, name]) => [Number(key), name] as const);
  entries.sort(([a], [b]) => a - b);
  return entries.every(([key], i) => key === i) ? entries.map(([, name]) => name) : null;
}

/** The folders of a split: as the file declares them, else `train|valid|val|test` with `images` and `labels` in it. */
async function splitFolders(root: string, path: string, fields: Record<string, unknown>, name: SplitName) {
  const key = name === "val" && fields.val === undefined ? "valid" : name;
  const declared = fields[key];
  if (declared !== undefined && declared !== null) {
    if (typeof declared !== "string")
      throw new UserError(`${path}: "${key}" must be one folder of images.`, {
        hint: "Lists of folders are not supported.",
      });
    // Roboflow writes "../train/images" for the folder beside the file, so a leading ".." is tried without it too.
    const base = typeof fields.path === "string" ? fields.path : "";
    const bare = declared.replace(/^(\.\.?[/\\])+/, "");
    for (const candidate of [join(base, declared), declared, bare]) {
      const images = resolve(root, candidate);
      if (!isInside(images, root) || !(await isFolder(images))) continue;
      const labels = await labelsOf(images, root);
      if (labels) return labels;
    }
    const absolute = isAbsolute(declared) || isAbsolute(base);
    throw new UserError(`${path}: the folder of "${key}" (${declared}) with its labels was not found under ${root}.`, {
      hint: absolute
        ? "Absolute paths must lie inside the data set's folder."
        : "Images go to images/, labels to labels/ beside it.",
    });
  }
  for (const folder of name === "val" ? ["valid", "val"] : [name]) {
    const [images, labels] = [join(root, folder, "images"), join(root, folder, "labels")];
    if ((await isFolder(images)) && (await isFolder(labels))) return { images, labels };
  }
  return null;
}

/** The labels of a folder of images: the last `images` in its path that has a `labels` beside it, else one in it. */
async function labelsOf(images: string, root: string): Promise<{ images: string; labels: string } | null> {
  const parts = images.split(sep);
  for (let i = parts.length - 1; i >= 0; i--) {
    if (parts[i] !== "images") continue;
    const labels = [...parts.slice(0, i), "labels", ...parts.slice(i + 1)].join(sep);
    if (isInside(labels, root) && (await isFolder(labels))) return { images, labels };
  }
  const inner = { images: join(images, "images"), labels: join(images, "labels") };
  return (await isFolder(inner.images)) && (await isFolder(inner.labels)) ? inner : null;
}

function isInside(path: string, root: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );
}
