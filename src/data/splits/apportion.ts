// Shares out the images of one split: the same picture, near-duplicates and groups stay together, and every class gets its share.

import { groupsOf } from "../../split/groupNames.ts";
import { nearPairs, type PictureHash } from "../../split/nearHashes.ts";
import { stratify, type Unit } from "../../split/stratify.ts";
import { linkedSets } from "../../split/together.ts";
import { rngFromSeed } from "../../util/random/rng.ts";
import { isByModel } from "../dataset/byModel/refuse.ts";
import type { Sample, Split } from "../dataset/sample.ts";
import { contentTwins, pictureHashes } from "./alike.ts";

export type ApportionOptions = {
  /** Shares of the sides, which add up to 1. */
  shares: readonly number[];
  seed: number;
  /** Regular expression whose first part in brackets names the group of a file; null: only Roboflow's suffix is left out. */
  group: string | null;
  /** Whether pictures that are nearly the same stay together. */
  near: boolean;
};

export type Apportioned = {
  /** The side of each sample, by its place in `shares`. */
  sides: number[];
  /** Sets of images that stayed together and were shared out, single ones included, and the images of the largest. */
  units: number;
  largest: number;
  /** Images that are copies of another, byte for byte, and that are nearly another. */
  copies: number;
  nearly: number;
  /** Files in which `group` finds none. */
  alone: number;
  /** Images that stay on the first side, as a model labelled them or one that belongs to them. */
  byModel: number;
};

/** Share out a split; what a model labelled stays on the first side, and shares are those of all other images. Reads every image, as thumbnails, where `near` is true. Throws a UserError where `group` cannot be used. */
export async function apportion(split: Split, options: ApportionOptions): Promise<Apportioned> {
  const { samples, reading } = split;
  return shareOut(samples, {
    ...options,
    twins: await contentTwins(samples),
    hashes: options.near ? await pictureHashes(samples, reading) : [],
  });
}

/** The same, where it is known what is alike. */
export function shareOut(
  samples: readonly Sample[],
  {
    shares,
    seed,
    group,
    twins,
    hashes,
  }: Omit<ApportionOptions, "near"> & { twins: number[][]; hashes: (PictureHash | null)[] },
): Apportioned {
  const links = linkedSets(samples.length);
  const { keys, alone } = groupsOf(
    samples.map(({ file }) => file),
    group,
  );
  const firsts = new Map<string, number>();
  for (const [i, key] of keys.entries()) {
    const first = firsts.get(key);
    if (first === undefined) firsts.set(key, i);
    else links.link(first, i);
  }
  let [copies, nearly] = [0, 0];
  for (const [first, ...others] of twins) for (const other of others) copies += links.link(first!, other) ? 1 : 0;
  nearPairs(hashes, (a, b) => {
    nearly += links.link(a, b) ? 1 : 0;
  });
  const sets = links.sets();
  const units = unitsOf(samples, sets);
  const held = new Set(sets.filter((_, i) => isByModel(samples[i]!)));
  const free = units.flatMap((_, set) => (held.has(set) ? [] : [set]));
  const chosen = stratify(free.map((set) => units[set]!), { shares, rng: rngFromSeed(seed) }); // biome-ignore format: one line
  const sideOf = new Map(free.map((set, i) => [set, chosen[i]!]));
  const largest = units.reduce((most, unit) => Math.max(most, unit.get("images")!), 0);
  const byModel = sets.filter((set) => held.has(set)).length;
  return {
    sides: sets.map((set) => sideOf.get(set) ?? 0),
    units: free.length,
    largest,
    copies,
    nearly,
    alone,
    byModel,
  };
}

/** What each set holds: its images, those without boxes, and the boxes of each class. */
function unitsOf(samples: readonly Sample[], sets: readonly number[]): Unit[] {
  const units: Map<string, number>[] = [];
  for (const [i, { annotations }] of samples.entries()) {
    units[sets[i]!] ??= new Map();
    const unit = units[sets[i]!]!;
    const add = (thing: string) => unit.set(thing, (unit.get(thing) ?? 0) + 1);
    add("images");
    const boxes = annotations.filter(({ crowd }) => !crowd);
    if (boxes.length === 0) add("empty");
    for (const { label } of boxes) add(`class ${label}`);
  }
  return units;
}
