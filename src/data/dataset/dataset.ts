// Reads a data set of whatever layout, and refuses what cannot be trained on.

import { resolve } from "node:path";
import { UserError } from "../../util/errors.ts";
import { orPackaged } from "../../util/package.ts";
import type { Fact } from "../../util/text/fact.ts";
import { maybeMoved } from "../../util/text/moved.ts";
import { type ClassRules, withClassRules } from "../classes/classRules.ts";
import type { Exif } from "../image/decode.ts";
import { type HeldBack, type HoldBackKeys, holdBack } from "../splits/holdBack.ts";
import { describeByModel, modelProblems } from "./byModel/refuse.ts";
import { orUnpacked } from "./formats/archive.ts";
import { type CocoSource, loadCoco } from "./formats/cocoSplits.ts";
import { detectLayout } from "./formats/detect.ts";
import type { Layout, LayoutName } from "./formats/layout.ts";
import { exists } from "./listing.ts";
import { type LabelledData, type Problem, SPLITS, type SplitName } from "./sample.ts";

/** Where one split is: a folder of images and a COCO file. */
type SplitSource = { images: string; annotations: string };

/**
 * A recipe's `data`: a folder whose layout is found out, or else each split named; how its pictures are read, what becomes of its
 * classes, and how a val split is made where there is none.
 */
export type DatasetSource = { dir?: string | null; exif?: Exif; classes?: ClassRules | null } & HoldBackKeys & {
    [name in SplitName]?: SplitSource | null;
  };

export type Dataset = LabelledData & {
  layout: LayoutName;
  /** One line for people: which layout was found where. */
  description: string;
  /** Where its val split was taken from the training images. */
  heldBack?: HeldBack;
};

export type DatasetOptions = {
  /** Splits without which the set is refused. Default train and val. */
  require?: readonly SplitName[];
  /** True (default): a problem of severity `error` is thrown. False: all are returned, for a report. */
  strict?: boolean;
  /** A val split that was made before, in place of a new one. */
  kept?: HeldBack | null | undefined;
  /** Whether rules of classes that are not there are an error. Default true; false is for another data set than they were made for. */
  knownClasses?: boolean;
  /** Whether labels that a model made may be in val and test, which are divided again. Default false: they are an error. */
  byModelAnywhere?: boolean;
};

/**
 * Read a data set: annotations and folder listings; images are opened where boxes are parts of them only, as in YOLO's files. Throws UserError where no layout
 * is recognised, a required split is missing or empty, a file is damaged, or (strict) anything in it is in error.
 */
export async function loadDataset(given: DatasetSource, options: DatasetOptions = {}): Promise<Dataset> {
  const { require = ["train", "val"], strict = true, kept, knownClasses = true, byModelAnywhere = false } = options;
  const source = given.dir ? { ...given, dir: await orUnpacked(orPackaged(given.dir)) } : given;
  const { name: layout, description, load } = await find(source);
  const { note, ...loaded } = await load({ root: source.dir ? resolve(source.dir) : undefined, exif: source.exif });
  const read: Dataset = { layout, description: note ? `${description}, ${note}` : description, ...loaded };
  const held = await holdBack(withClassRules(read, source.classes, { lenient: !knownClasses }), source, kept);
  const dataset = byModelAnywhere ? held : withModelLabels(held);
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

/** What labels by a model mean for it. */
function withModelLabels(dataset: Dataset): Dataset {
  const [facts, problems] = [describeByModel(dataset), modelProblems(dataset)];
  if (facts.length + problems.length === 0) return dataset;
  return { ...dataset, notes: [...(dataset.notes ?? []), ...facts], problems: [...dataset.problems, ...problems] };
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
export function datasetSummary({ description, classes, splits, problems, notes = [] }: Dataset): Fact[] {
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
  return [...facts, ...notes];
}

const DROPPED = new Set<Problem["kind"]>(["box-zero-size", "box-outside"]);

/** The layout of what a recipe's `data` names: a folder, or the COCO files of each split. */
async function find({ dir, ...rest }: DatasetSource): Promise<Layout> {
  const sources: Partial<Record<SplitName, SplitSource>> = {};
  for (const name of SPLITS) if (rest[name]) sources[name] = rest[name];
  const named = Object.keys(sources);
  if (dir && named.length > 0)
    throw new UserError(`data.dir and data.${named[0]} are both given.`, {
      hint: "Give the folder or name the splits.",
    });
  if (dir) return detectLayout(dir);
  for (const [name, source] of Object.entries(sources))
    for (const key of ["images", "annotations"] as const)
      if (!(await exists(source[key])))
        throw new UserError(`data.${name}.${key}: there is nothing at ${source[key]}.`, {
          hint: maybeMoved(`data.${name}.${key}`),
        });
  const cocos: Partial<Record<SplitName, CocoSource>> = {};
  for (const name of SPLITS) if (sources[name]) cocos[name] = { ...sources[name], images: [sources[name].images] };
  return { name: "explicit", description: "COCO files named in the recipe", load: (place) => loadCoco(cocos, place) };
}

function missingHint(name: SplitName): { hint: string } {
  const folder = name === "val" ? "valid/ or val/" : `${name}/`;
  if (name === "val")
    return {
      hint: `Hold a part of the training images back with data.val_fraction: 0.2 (rfdetr-train data split does so for good), add a folder ${folder} as the other splits have, or name data.val: { images, annotations }.`,
    };
  return { hint: `Add a folder ${folder} as the other splits have, or name data.${name}: { images, annotations }.` };
}
