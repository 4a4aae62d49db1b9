// Finds out what lies in a data folder, reads its splits, and refuses what cannot be trained on.

import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { UserError } from "../../util/errors.ts";
import { orPackaged } from "../../util/package.ts";
import type { Fact } from "../../util/text/fact.ts";
import { maybeMoved } from "../../util/text/moved.ts";
import { readRegularText } from "../../util/untrusted/regular.ts";
import { MOST_YAML_BYTES } from "../../util/untrusted/yaml.ts";
import type { Exif } from "../image/decode.ts";
import { inClassTable } from "./classTable.ts";
import { type CocoFile, cocoClasses, cocoSamples, readCoco } from "./coco.ts";
import { exists, openListing } from "./listing.ts";
import { type ClassEntry, type Problem, SPLITS, type Split, type SplitName } from "./sample.ts";
import { readYolo, type YoloFile, yoloClasses, yoloSamples } from "./yolo.ts";

/** Where one split is: a folder of images and a COCO file. */
type SplitSource = { images: string; annotations: string };

/** A recipe's `data`: a folder whose layout is found out, or else each split named; and how its pictures are read. */
export type DatasetSource = { dir?: string | null; exif?: Exif } & { [name in SplitName]?: SplitSource | null };

export type Dataset = {
  layout: "roboflow-coco" | "coco" | "yolo" | "explicit";
  /** One line for people: which layout was found where. */
  description: string;
  /** Labels 0..N-1, from the training split wherever there is one. */
  classes: ClassEntry[];
  splits: Partial<Record<SplitName, Split>>;
  problems: Problem[];
};

/** The folder that links may lead to, where there is one of the whole set, and what EXIF orientation does. */
type Place = { root: string | undefined; exif: Exif | undefined };

export type DatasetOptions = {
  /** Splits without which the set is refused. Default train and val. */
  require?: readonly SplitName[];
  /** True (default): a problem of severity `error` is thrown. False: all are returned, for a report. */
  strict?: boolean;
};

/**
 * Read a data set: annotations and folder listings, no image of a COCO set is opened. Throws UserError where no layout
 * is recognised, a required split is missing or empty, a file is damaged, or (strict) anything in it is in error.
 */
export async function loadDataset(given: DatasetSource, options: DatasetOptions = {}): Promise<Dataset> {
  const { require = ["train", "val"], strict = true } = options;
  const source = given.dir ? { ...given, dir: orPackaged(given.dir) } : given;
  const found = await find(source);
  const place: Place = { root: source.dir ? resolve(source.dir) : undefined, exif: source.exif };
  const dataset =
    "yolo" in found
      ? await loadYolo(found.yolo, found.where, place)
      : await loadCoco(found.sources, { layout: found.layout, description: describe(found, source), ...place });
  const present = SPLITS.filter((name) => dataset.splits[name]);
  for (const name of require) {
    const split = dataset.splits[name];
    const has = present.length > 0 ? `It has ${present.join(" and ")}.` : "It has no split at all.";
    if (!split)
      throw new UserError(`The data set has no ${name} split: ${dataset.description}. ${has}`, missingHint(name));
    if (split.samples.length === 0 && !dataset.problems.some((p) => p.split === name && p.severity === "error"))
      throw new UserError(`The ${name} split of the data set holds no images: ${split.annotations}.`);
  }
  if (strict) refuseErrors(dataset.problems);
  return dataset;
}

/** For people: of each kind of warning the first, and how many more there are. */
export function describeWarnings(problems: readonly Problem[]): Fact[] {
  const kinds = new Map<Problem["kind"], Problem[]>();
  for (const problem of problems) {
    if (problem.severity !== "warning") continue;
    if (!kinds.has(problem.kind)) kinds.set(problem.kind, []);
    kinds.get(problem.kind)!.push(problem);
  }
  return [...kinds.values()].map(([first, ...more]) => {
    const others = more.length > 0 ? ` (and ${more.length} more like it; check lists them)` : "";
    return { name: "Warning", value: `${first!.message}${others}` };
  });
}

/** Throw UserError if there is a problem of severity `error`; the message names the first few. */
export function refuseErrors(problems: readonly Problem[]): void {
  const errors = problems.filter((p) => p.severity === "error");
  if (errors.length === 0) return;
  const shown = errors.slice(0, 5).map((p) => p.message);
  if (errors.length > shown.length) shown.push(`... and ${errors.length - shown.length} more.`);
  throw new UserError(shown.join("\n"), {
    hint: "Correct the annotations or take the images out. `rfdetr-train check --recipe FILE` lists everything.",
  });
}

/** For people: layout, counts per split, the class table, and what is dropped. */
export function datasetSummary({ description, classes, splits, problems }: Dataset): Fact[] {
  const facts: Fact[] = [{ name: "Data", value: `${description}.` }];
  const part = (name: string, value: string) => facts.push({ name, value, under: "Data" });
  for (const split of SPLITS.flatMap((name) => splits[name] ?? [])) {
    const boxes = split.samples.reduce((n, s) => n + s.annotations.filter((a) => !a.crowd).length, 0);
    const crowds = split.samples.reduce((n, s) => n + s.annotations.filter((a) => a.crowd).length, 0);
    const empty = split.samples.filter((s) => s.annotations.length === 0).length;
    const dropped = problems.filter((p) => p.split === split.name && DROPPED.has(p.kind)).length;
    const notes = [`${empty} without boxes`, `${boxes} boxes`];
    if (crowds > 0) notes.push(`${crowds} crowd regions (evaluation only)`);
    const doubled = problems.filter((p) => p.split === split.name && p.kind === "duplicate-box").length;
    if (doubled > 0) notes.push(`${doubled} objects annotated more than once`);
    if (dropped > 0) notes.push(`${dropped} boxes without area in the image dropped`);
    part(split.name, `${split.samples.length} images (${notes.join(", ")})`);
  }
  part(
    `${classes.length} ${classes.length === 1 ? "class" : "classes"}`,
    classes.map((c) => `${c.label} ${c.name} (id ${c.categoryId})`).join(", "),
  );
  return facts;
}

const DROPPED = new Set<Problem["kind"]>(["box-zero-size", "box-outside"]);

type Found =
  | { layout: "roboflow-coco" | "coco" | "explicit"; sources: Partial<Record<SplitName, SplitSource>> }
  | { yolo: YoloFile; where: string };

async function find({ dir, exif: _, ...rest }: DatasetSource): Promise<Found> {
  const sources: Partial<Record<SplitName, SplitSource>> = {};
  for (const name of SPLITS) if (rest[name]) sources[name] = rest[name];
  const named = Object.keys(sources);
  if (dir && named.length > 0)
    throw new UserError(`data.dir and data.${named[0]} are both given.`, {
      hint: "Give the folder or name the splits.",
    });
  if (dir) return detect(dir);
  for (const [name, source] of Object.entries(sources))
    for (const key of ["images", "annotations"] as const)
      if (!(await exists(source[key])))
        throw new UserError(`data.${name}.${key}: there is nothing at ${source[key]}.`, {
          hint: maybeMoved(`data.${name}.${key}`),
        });
  return { layout: "explicit", sources };
}

async function detect(dir: string): Promise<Found> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "ENOTDIR" ? "is not a folder" : "does not exist";
    throw new UserError(`The data folder ${dir} ${why}.`, {
      hint: maybeMoved("data.dir"),
      cause,
    });
  });
  const roboflow: Partial<Record<SplitName, SplitSource>> = {};
  for (const [name, folders] of [
    ["train", ["train"]],
    ["val", ["valid", "val"]],
    ["test", ["test"]],
  ] as const) {
    for (const folder of folders) {
      const annotations = join(dir, folder, "_annotations.coco.json");
      if (!roboflow[name] && (await exists(annotations))) roboflow[name] = { images: join(dir, folder), annotations };
    }
  }
  if (Object.keys(roboflow).length > 0) return { layout: "roboflow-coco", sources: roboflow };
  const yaml = names.find((name) => name === "data.yaml" || name === "data.yml") ?? (await otherYaml(dir, names));
  if (yaml) return { yolo: await readYolo(resolve(dir), join(resolve(dir), yaml)), where: join(dir, yaml) };
  const coco = await detectCoco(dir);
  if (Object.keys(coco).length > 0) return { layout: "coco", sources: coco };
  throw new UserError(`No data set was recognised in ${dir}.`, {
    hint:
      "Known layouts: train/_annotations.coco.json with valid/ or val/ (Roboflow), annotations/instances_train*.json with " +
      "a folder of images (COCO), data.yaml (YOLO). Or name each split: data: { train: { images, annotations }, val: ... }.",
  });
}

/** The one YAML of a folder that names classes and splits, where no data.yaml is there: Ultralytics' own sets have other names. */
async function otherYaml(dir: string, names: readonly string[]): Promise<string | undefined> {
  const found: string[] = [];
  for (const name of names.filter((one) => /^[^.].*\.ya?ml$/i.test(one)).slice(0, 20)) {
    const text = await readRegularText(join(dir, name), { most: MOST_YAML_BYTES }).catch(() => "");
    if (/^names\s*:/m.test(text) && /^(train|val)\s*:/m.test(text)) found.push(name);
  }
  if (found.length < 2) return found[0];
  throw new UserError(`Several files in ${dir} describe a YOLO data set: ${found.join(", ")}.`, {
    hint: "Call the right one data.yaml.",
  });
}

async function detectCoco(dir: string): Promise<Partial<Record<SplitName, SplitSource>>> {
  const files = (await readdir(join(dir, "annotations")).catch(() => [])).sort();
  const sources: Partial<Record<SplitName, SplitSource>> = {};
  for (const name of SPLITS) {
    const file = files.find((f) =>
      new RegExp(`^instances_(${name === "val" ? "val|valid" : name})[^.]*\\.json$`).test(f),
    );
    if (!file) continue;
    const annotations = join(dir, "annotations", file);
    const set = basename(file, ".json").slice("instances_".length);
    const candidates = [set, join("images", set), name, join("images", name), "images"].map((c) => join(dir, c));
    const images = (await Promise.all(candidates.map(exists))).indexOf(true);
    if (images < 0)
      throw new UserError(`${annotations} has no folder of images: none of ${candidates.join(", ")} exists.`, {
        hint: "Name both: data: { train: { images: DIR, annotations: FILE }, val: ... }.",
      });
    sources[name] = { images: candidates[images]!, annotations };
  }
  return sources;
}

function describe(found: Found, source: DatasetSource): string {
  const where = source.dir ? ` in ${source.dir}` : "";
  if ("yolo" in found) return `YOLO (${found.where})`;
  if (found.layout === "roboflow-coco")
    return `COCO annotations beside the images, a folder a split (Roboflow)${where}`;
  return found.layout === "coco" ? `COCO annotations/ and folders of images${where}` : "COCO files named in the recipe";
}

async function loadCoco(
  sources: Partial<Record<SplitName, SplitSource>>,
  { layout, description, root, exif }: Pick<Dataset, "layout" | "description"> & Place,
): Promise<Dataset> {
  const files: Partial<Record<SplitName, CocoFile>> = {};
  for (const name of SPLITS) if (sources[name]) files[name] = await readCoco(sources[name].annotations);
  const first = SPLITS.find((name) => files[name]);
  const classes = first ? cocoClasses(files[first]!) : [];
  const splits: Dataset["splits"] = {};
  const problems: Problem[] = [];
  for (const name of SPLITS) {
    const [file, source] = [files[name], sources[name]];
    if (!file || !source) continue;
    const folder = resolve(source.images);
    const locate = await openListing(folder);
    const renumbered = inClassTable(file, classes, name);
    for (const problem of renumbered.problems) problems.push(problem);
    const { samples, problems: found } = await cocoSamples(renumbered.file, classes, {
      split: name,
      folder: source.images,
      locate,
    });
    for (const problem of found) problems.push(problem); // they may be more than a call can have arguments
    const reading = { within: root ?? folder, exif };
    splits[name] = { name, images: folder, annotations: source.annotations, samples, reading };
  }
  return { layout, description, classes, splits, problems };
}

async function loadYolo(file: YoloFile, where: string, { root, exif }: Place): Promise<Dataset> {
  const splits: Dataset["splits"] = {};
  const problems: Problem[] = [];
  for (const name of SPLITS) {
    const folders = file.splits[name];
    if (!folders) continue;
    const reading = { within: root ?? folders.images, exif };
    const { samples, problems: found } = await yoloSamples(file, name, reading);
    for (const problem of found) problems.push(problem);
    splits[name] = { name, images: folders.images, annotations: folders.labels, samples, reading, polygons: "pillow" };
  }
  return { layout: "yolo", description: `YOLO (${where})`, classes: yoloClasses(file), splits, problems };
}

function missingHint(name: SplitName): { hint: string } {
  const folder = name === "val" ? "valid/ or val/" : `${name}/`;
  return { hint: `Add a folder ${folder} as the other splits have, or name data.${name}: { images, annotations }.` };
}
