// data.val_fraction: a part of the training images becomes the validation split of a data set that has none.

import { UserError } from "../../util/errors.ts";
import type { Fact } from "../../util/text/fact.ts";
import { boxesPerClass, type LabelledData, type Sample, type Split } from "../dataset/sample.ts";
import { type Apportioned, apportion } from "./apportion.ts";

/** The keys of a recipe's `data` that say how val is made. */
export type HoldBackKeys = {
  val_fraction?: number | null;
  split_seed?: number;
  group?: string | null;
  near_duplicates?: "together" | "apart";
};

/** Which files are whose, as a run keeps it. */
export type HeldBack = { fraction: number; seed: number; group: string | null; train: string[]; val: string[] };

/** Boxes of a class in val below which its AP says little. */
const FEW_BOXES = 5;

/**
 * The data set with a val split out of its training images, as `keys` say, or as it was made before (`kept`); unchanged where
 * neither asks for one. What was done is a fact of the set. Throws a UserError where it has a val split already, or the images
 * cannot be parted.
 */
export async function holdBack<Data extends LabelledData>(
  dataset: Data,
  keys: HoldBackKeys,
  kept?: HeldBack | null,
): Promise<Data & { heldBack?: HeldBack }> {
  const {
    val_fraction: fraction = null,
    split_seed: seed = 0,
    group = null,
    near_duplicates: near = "together",
  } = keys;
  const { train, val } = dataset.splits;
  if (fraction !== null && val)
    throw new UserError(
      `data.val_fraction is ${fraction}, but the data set has a val split of its own: ${val.annotations}.`,
      {
        hint: "Leave data.val_fraction out. To divide all of its images again: rfdetr-train data split --data DIR --val 0.2 --out DIR",
      },
    );
  if (!train || val) return dataset;
  if (kept) return asKept(dataset, train, kept);
  if (fraction === null || train.samples.length === 0) return dataset;
  const found = await apportion(train, { shares: [1 - fraction, fraction], seed, group, near: near === "together" });
  if (found.units < 2) throw inseparable(train, { group, byModel: found.byModel });
  const of = (side: number) => train.samples.filter((_, i) => found.sides[i] === side);
  const held = parted(dataset, train, { train: of(0), val: of(1) });
  const files = (samples: readonly Sample[]) => samples.map(({ file }) => file);
  return {
    ...held,
    heldBack: { fraction, seed, group, train: files(of(0)), val: files(of(1)) },
    notes: [...(dataset.notes ?? []), ...describe(held, found, { fraction, seed, group })],
  };
}

/** The same images on the same sides as before; others are left out, and that is said. */
function asKept<Data extends LabelledData>(
  dataset: Data,
  train: Split,
  kept: HeldBack,
): Data & { heldBack?: HeldBack } {
  const sides = new Map<string, "train" | "val">();
  for (const side of ["train", "val"] as const) for (const file of kept[side]) sides.set(file, side);
  const of = (side: "train" | "val" | undefined) => train.samples.filter(({ file }) => sides.get(file) === side);
  const parts = { train: of("train"), val: of("val") };
  if (parts.train.length + parts.val.length === 0) return dataset; // another data set
  const present = new Set(train.samples.map(({ file }) => file));
  const gone = [...sides.keys()].filter((file) => !present.has(file)).length;
  const fresh = of(undefined).length;
  const value = `${parts.val.length} of the training images are held back, those that the run has held back from the start`;
  return {
    ...parted(dataset, train, parts),
    heldBack: kept,
    notes: [
      ...(dataset.notes ?? []),
      { name: "Validation", value },
      ...(fresh > 0 ? [note(`${fresh} images are new since then, and are not used`)] : []),
      ...(gone > 0 ? [note(`${gone} images of then are not there any more`)] : []),
    ],
  };
}

function parted<Data extends LabelledData>(
  dataset: Data,
  split: Split,
  { train, val }: { train: Sample[]; val: Sample[] },
): Data {
  const held = new Set(val.map(({ file }) => file));
  return {
    ...dataset,
    splits: { ...dataset.splits, train: { ...split, samples: train }, val: { ...split, name: "val", samples: val } },
    problems: dataset.problems.map((one) =>
      one.split === "train" && held.has(one.file) ? { ...one, split: "val" } : one,
    ),
  };
}

function describe(
  { classes, splits: { train, val } }: LabelledData,
  { units, largest, copies, nearly, alone, byModel }: Apportioned,
  { fraction, seed, group }: { fraction: number; seed: number; group: string | null },
): Fact[] {
  const all = train!.samples.length + val!.samples.length;
  const together = [...(copies > 0 ? [`${copies} copies`] : []), ...(nearly > 0 ? [`${nearly} near-duplicates`] : [])];
  const parts = [
    `${val!.samples.length} of ${all} training images are held back (data.val_fraction ${fraction}, data.split_seed ${seed})`,
    ...(largest > 1 ? [`${units} sets stay together, the largest of ${largest} images${together.length > 0 ? ` (${together.join(", ")})` : ""}`] : []), // biome-ignore format: one line
  ];
  return [
    { name: "Validation", value: parts.join("; ") },
    ...(byModel > 0 ? [note(`${byModel} images stay in train: a model labelled them or what belongs to them; the fraction is one of the others`)] : []), // biome-ignore format: one line
    ...(alone > 0 ? [note(`data.group (${group}) finds no group in ${alone} file names, each of which is one of its own`)] : []), // biome-ignore format: one line
    ...few(boxesPerClass(train!.samples, classes), boxesPerClass(val!.samples, classes)),
  ];
}

/** Classes of which val has so few boxes that it says little about them. */
function few(train: Map<string, number>, val: Map<string, number>): Fact[] {
  const scarce = [...val].filter(([name, count]) => count < FEW_BOXES && train.get(name)! + count > 0);
  if (scarce.length === 0) return [];
  const shown = scarce.slice(0, 10).map(([name, count]) => `${name} ${count}`);
  if (scarce.length > shown.length) shown.push(`${scarce.length - shown.length} more`);
  return [note(`few boxes in val, whose AP says little: ${shown.join(", ")}`)];
}

function note(value: string): Fact {
  return { name: "Note", value, under: "Validation" };
}

function inseparable({ samples }: Split, { group, byModel }: { group: string | null; byModel: number }): UserError {
  if (byModel > 0)
    return new UserError(
      `data.val_fraction: ${byModel} of the ${samples.length} training images are labelled by a model or belong to one that is, and stay in train: too few others can be told apart.`,
      { hint: "Have a person correct more of the labels, or name a val split that a person labelled." },
    );
  const why = group === null ? "they are all alike (near-duplicates, copies)" : `data.group (${group}) or their likeness puts them into one group`; // biome-ignore format: one line
  return new UserError(`data.val_fraction: the ${samples.length} training images cannot be parted, because ${why}.`, {
    hint: "Set data.group so that it tells scenes apart, or data.near_duplicates: apart.",
  });
}
