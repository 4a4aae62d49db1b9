// YOLO data sets (data.yaml, a text file of boxes an image), as the reference's `datasets/yolo.py` reads them.

import { basename, dirname, extname } from "node:path";
import type { Instance } from "../../instance/instance.ts";
import { maskBox } from "../../instance/maskBox.ts";
import { UserError } from "../../util/errors.ts";
import { isObject } from "../../util/untrusted/json.ts";
import { isMissing, readUtf8, refuseEscape } from "../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES, parseYaml } from "../../util/untrusted/yaml.ts";
import { imageHeader, type Reading } from "../image/decode.ts";
import { openMarkFiles } from "./byModel/markFiles.ts";
import { exists } from "./listing.ts";
import { boxFault, type ClassEntry, doubles, type Problem, type Sample, type SplitName } from "./sample.ts";
import { findYoloSplit, type YoloSplit } from "./yoloSplit.ts";

/** Bytes of the boxes of one image: a million corners of polygons. */
const MOST_LABEL_BYTES = 16 << 20;

/** A YOLO data set: class names, its splits, and the key points that follow the box in a row (`kpt_shape`). */
export type YoloFile = {
  path: string;
  names: string[];
  splits: Partial<Record<SplitName, YoloSplit>>;
  keypoints: { count: number; numbers: number } | undefined;
};

/**
 * Read data.yaml and find the folders of its splits, all inside `root`. Throws UserError on a file that is no mapping,
 * on class names that are not 0..N-1, and on a split that is declared and cannot be found.
 */
export async function readYolo(root: string, path: string): Promise<YoloFile> {
  await refuseEscape(path, root);
  const data = parseYaml(await readUtf8(path, { most: MOST_YAML_BYTES }), path).values;
  if (!isObject(data)) throw new UserError(`${path} is not a YOLO data file: it holds no mapping.`);
  const fields = data as Record<string, unknown>;
  const splits: YoloFile["splits"] = {};
  for (const name of ["train", "val", "test"] as const) {
    const found = await findYoloSplit(root, { path, fields, name });
    if (found) splits[name] = found;
  }
  const names = classNames(fields.names, path);
  if (fields.nc !== undefined && fields.nc !== null && fields.nc !== names.length)
    throw new UserError(`${path}: "nc" is ${JSON.stringify(fields.nc)}, but "names" has ${names.length} classes.`, {
      hint: "Correct names, or leave nc out.",
    });
  return { path, names, splits, keypoints: keypointShape(fields.kpt_shape, path) };
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
  const { files, again, strays } = file.splits[split]!;
  const rows: Rows = { all: 0, large: 0, polygons: 0, corners: new Set(), keypoints: 0 };
  const samples: Sample[] = [];
  const problems = again.map(({ name, why }): Problem => ({ kind: "duplicate-image", severity: "warning", split, file: name, message: `${why}: it counts once.` })); // biome-ignore format: one line
  if (strays.length > 0) problems.push(strayLabels(strays, split));
  const classes = yoloClasses(file);
  const markOf = await openMarkFiles(reading.within ?? dirname(file.path));
  let annotationId = 1;
  for (const [i, { name, path, label: labelPath }] of files.entries()) {
    // A broken image is left to whoever decodes it; its boxes cannot be told without its size.
    const size = await imageHeader(path, reading).catch((cause: UserError) => cause);
    const sample: Sample = { imageId: i + 1, file: name, path, width: null, height: null, annotations: [] };
    samples.push(sample);
    if (size instanceof Error) {
      problems.push({ kind: "corrupt-image", severity: "error", split, file: name, message: size.message });
      continue;
    }
    [sample.width, sample.height] = [size.width, size.height];
    const lines = await labelLines(labelPath, reading);
    const made = await markOf(labelPath);
    if (made) sample.byModel = made.mark;
    const scores = made && made.scores.length === lines?.length ? made.scores : [];
    const unread = lines ? null : await unreadLabels(labelPath, path);
    if (unread) problems.push({ kind: "unread-labels", split, file: name, ...unread });
    for (const [row, { line, number }] of (lines ?? []).entries()) {
      const id = annotationId++;
      const where = `${labelPath}, line ${number}`;
      const parsed = parseLine(line, { ...size, keypoints: file.keypoints }, rows);
      const report = (kind: Problem["kind"], severity: Problem["severity"], why: string) =>
        problems.push({ kind, severity, split, file: name, annotationId: id, message: `${where} ${why}.` });
      if (typeof parsed === "string") {
        report("malformed", "error", parsed);
        continue;
      }
      const { label, box, mask, keypoints } = parsed;
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
      sample.annotations.push({
        id,
        categoryId: label,
        label,
        box,
        area,
        crowd: false,
        ...(mask && { mask }),
        ...(keypoints && { keypoints }),
        ...(made && { byModel: made.mark, ...(scores[row] !== undefined && { score: scores[row] }) }),
      });
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
  return { samples, problems: [...problems, ...wholeRows(rows, { file, split, labels: file.splits[split]!.labels })] };
}

/** Counts of rows: all, with numbers from 2 on, polygons and their numbers of corners, with key points. */
type Rows = { all: number; large: number; polygons: number; corners: Set<number>; keypoints: number };

/** So many polygons that all have the same number of corners are unlikely to be polygons. */
const MANY_ALIKE = 10;

/** What is wrong with most rows of a split alike. */
function wholeRows(
  rows: Rows,
  { file, split, labels }: { file: YoloFile; split: SplitName; labels: string },
): Problem[] {
  const problem = (severity: Problem["severity"], says: string): Problem[] => {
    return [{ kind: "not-boxes", severity, split, file: labels, message: `${labels}: ${says}.` }];
  };
  if (2 * rows.large > rows.all)
    return problem("error", `${rows.large} of ${rows.all} rows hold numbers from 2 on, where fractions of the image belong (pixels, or key points without kpt_shape in ${basename(file.path)})`); // biome-ignore format: one line
  const [corners] = rows.corners.size === 1 ? rows.corners : [];
  const oriented = corners === 4 && rows.polygons === rows.all;
  const posed = corners !== undefined && corners > 4 && rows.polygons >= MANY_ALIKE;
  return [
    ...(rows.keypoints > 0 ? problem("warning", `${rows.keypoints} rows hold key points (kpt_shape): their boxes are used, the key points are not trained`) : []), // biome-ignore format: one line
    ...(oriented ? problem("warning", "all rows have four corners (oriented boxes?): the upright box around each is used") : []), // biome-ignore format: one line
    ...(posed ? problem("warning", `each of ${rows.polygons} rows has ${2 * corners} numbers, which are read as the corners of a polygon: if they are a box and key points, say so with kpt_shape in ${basename(file.path)}`) : []), // biome-ignore format: one line
  ];
}

/** Boxes whose image is not there under the name of their file: the image that they are meant for may pass as one without objects. */
function strayLabels(strays: readonly string[], split: SplitName): Problem {
  const [first] = strays;
  const files = strays.length === 1 ? `${first} holds boxes` : `${strays.length} label files hold boxes (the first: ${first})`; // biome-ignore format: one line
  const message = `${files} of no image that is read: the names of an image and of its label file differ in their ends only.`;
  return { kind: "unread-labels", severity: "warning", split, file: first!, message };
}

/** Where the boxes of an image without a text file of its own may be, which nobody reads there. */
async function unreadLabels(labels: string, image: string): Promise<Pick<Problem, "severity" | "message"> | null> {
  const upper = labels.replace(/txt$/, "TXT");
  if (await exists(upper))
    return { severity: "error", message: `${upper} is not read: the names of label files end in .txt.` };
  const beside = `${image.slice(0, -extname(image).length)}.txt`;
  if (beside === labels || !(await exists(beside))) return null;
  return {
    severity: "warning",
    message: `${beside} lies beside its image and is not read: labels belong into ${dirname(labels)}.`,
  };
}

/** The rows of a file; null where there is no such file: an image without one is background. */
async function labelLines(
  path: string,
  { within = dirname(path) }: Reading,
): Promise<{ line: string; number: number }[] | null> {
  try {
    await refuseEscape(path, within); // what is wrong in a row is shown, and must be the data set's
    const lines = (await readUtf8(path, { most: MOST_LABEL_BYTES }))
      .split(/\r?\n/)
      .map((line, i) => ({ line: line.trim(), number: i + 1 }));
    return lines.filter(({ line }) => line !== "");
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw cause;
  }
}

/**
 * `class cx cy width height`, where there is a kpt_shape with key points behind it, else also `class x1 y1 x2 y2 x3 y3 ...` (a
 * polygon), relative to the image; or what is wrong. Counts the row.
 */
function parseLine(
  line: string,
  { width, height, keypoints }: { width: number; height: number; keypoints: YoloFile["keypoints"] },
  rows: Rows,
): string | Instance {
  const [first, ...rest] = line.split(/\s+/);
  rows.all++;
  if (!/^\d+$/.test(first!)) return `starts with "${first}", which is no class number`;
  const posed = keypoints && rest.length === 4 + keypoints.count * keypoints.numbers;
  if (keypoints && !posed && rest.length !== 4)
    return `has ${rest.length + 1} fields; a box has 5, one with key points ${5 + keypoints.count * keypoints.numbers} (kpt_shape)`;
  if (!keypoints && rest.length !== 4 && (rest.length < 6 || rest.length % 2 !== 0))
    return `has ${rest.length + 1} fields; a box has 5, a polygon an odd number from 7 on`;
  const v = rest.map(Number);
  const label = Number(first);
  if ((keypoints ? v.slice(0, 4) : v).some((one) => one >= 2)) rows.large++;
  if (v.length === 4 || posed) {
    const [cx, cy, w, h] = v as [number, number, number, number];
    const [x1, y1] = [(cx - w / 2) * width, (cy - h / 2) * height];
    const box: Instance["box"] = [x1, y1, (cx + w / 2) * width, (cy + h / 2) * height];
    if (!posed) return { label, box };
    rows.keypoints++;
    const points = Array.from({ length: keypoints.count }, (_, i) => {
      const [x, y, visible = 2] = v.slice(4 + i * keypoints.numbers, 4 + (i + 1) * keypoints.numbers);
      return [x! * width, y! * height, visible];
    });
    return { label, box, keypoints: points.flat() };
  }
  rows.polygons++;
  rows.corners.add(v.length / 2);
  const mask = { polygons: [v.map((one, i) => one * (i % 2 === 0 ? width : height))] };
  return { label, box: maskBox(mask)!, mask };
}

function keypointShape(shape: unknown, path: string): YoloFile["keypoints"] {
  if (shape === undefined || shape === null) return undefined;
  const [count, numbers] = Array.isArray(shape) ? shape : [];
  if (Number.isInteger(count) && count >= 1 && count <= 10_000 && (numbers === 2 || numbers === 3))
    return { count, numbers };
  throw new UserError(`${path}: "kpt_shape" must be [number of key points, 2 or 3].`);
}

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
