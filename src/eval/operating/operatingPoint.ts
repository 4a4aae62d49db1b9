// The operating point on a split: thresholds, and the precision and recall that they promise on other images.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import { type Expected, LEAST_BOXES, type OperatingPoint, type OperatingRule } from "../../instance/operating/point.ts";
import { type Rng, rngFromSeed } from "../../util/random/rng.ts";
import { chooseCommon, chooseOwn, type Outcome, outcomeAt } from "./choose.ts";
import { type ScoreCounts, type Tally, THRESHOLDS, tallyAll, tallySample } from "./counts.ts";

/** Samples that intervals are made of; fewer where there is very much to count. */
const SAMPLES = 1000;
const LEAST_SAMPLES = 100;
/** Entries of counts that are gone through in all: some seconds. */
const MOST_ENTRIES = 1e9;
/** Half of a normal distribution's middle 95 %, in standard deviations. */
const Z = 1.96;

export type OperatingOptions = {
  rule: OperatingRule;
  classes: readonly Pick<ClassEntry, "label" | "categoryId">[];
  /** Images of the split, those with nothing in them, too. */
  images: number;
  seed: number;
};

/**
 * Thresholds by a rule, and what they promise. Undefined where nothing was found.
 *
 * A threshold looks better on the images that it was chosen on than on others. So the interval is of the out-of-bag bootstrap (Efron
 * and Tibshirani, "Improvements on cross-validation: the .632+ bootstrap method", 1997): thresholds are chosen on images drawn with
 * replacement and measured on those that were not drawn, a thousand times.
 */
export function operatingPoint(counts: ScoreCounts, options: OperatingOptions): OperatingPoint | undefined {
  const { rule, classes } = options;
  const tallies = tallyAll(counts);
  if (!tallies.some(({ hits }) => hits[0]! > 0)) return undefined;
  const enough = counts.classes.map(({ boxes }) => boxes >= LEAST_BOXES);
  const common = chooseCommon(tallies, rule);
  const own = chooseOwn(tallies, rule, enough);
  const labels = new Map(classes.map(({ categoryId, label }) => [categoryId, label]));
  const value = (bin: number) => Math.round(THRESHOLDS[bin]! * 100) / 100;
  return {
    rule,
    reached: common.reached,
    threshold: value(common.bin),
    classes: counts.classes.flatMap(({ category: { id, name }, boxes }, k) => {
      const [label, bin] = [labels.get(id), own[k]];
      return label === undefined ? [] : [{ label, name, boxes, threshold: bin === undefined ? null : value(bin) }];
    }),
    images: options.images,
    ...intervals(counts, { ...options, enough, whole: outcomeAt(tallies, binsOf(tallies, rule, enough)) }),
  };
}

/** The threshold that each class is used with. */
function binsOf(tallies: readonly Tally[], rule: OperatingRule, enough: readonly boolean[]): number[] {
  const { bin } = chooseCommon(tallies, rule);
  return chooseOwn(tallies, rule, enough).map((own) => own ?? bin);
}

function intervals(
  counts: ScoreCounts,
  { rule, images, seed, enough, whole }: OperatingOptions & { enough: boolean[]; whole: Outcome },
): Pick<OperatingPoint, "precision" | "recall"> {
  const rng = rngFromSeed(seed, 0x6f7065);
  const entries = counts.classes.reduce((sum, { cells }) => sum + cells.bin.length + THRESHOLDS.length, images);
  const samples = Math.max(LEAST_SAMPLES, Math.min(SAMPLES, Math.floor(MOST_ENTRIES / entries)));
  const [precisions, recalls]: [number[], number[]] = [[], []];
  for (let i = 0; i < samples; i++) {
    const { drawn, left } = tallySample(counts, draw(Math.max(images, counts.images), rng));
    const { boxes, shown, hits } = outcomeAt(left, binsOf(drawn, rule, enough));
    if (shown > 0) precisions.push(hits / shown);
    if (boxes > 0) recalls.push(hits / boxes);
  }
  return { precision: interval(precisions, whole.shown), recall: interval(recalls, whole.boxes) };
}

/** How often each image is in a sample of as many. */
function draw(images: number, rng: Rng): Uint16Array {
  const times = new Uint16Array(images);
  for (let i = 0; i < images; i++) times[rng.int(images)]!++;
  return times;
}

/** Share of a sample's images that are not in it: (1 - 1/n)^n. */
const LEFT = Math.exp(-1);

/**
 * What 95 of 100 splits of as many images would come to. `values`: what images come to that were not drawn; `boxes`: how many
 * boxes all images have of the kind.
 *
 * Of n images, n e^-1 are left, drawn without replacement: the variance of their mean is (1 - e^-1) / (n e^-1) = 1.72 / n times that of
 * one image. The difference between n other images and the true mean of all, with the chance in these n themselves, has 2 / n. And
 * where all samples agree, as with few boxes that are all right, it is as wide as Wilson's interval (1927) is.
 */
function interval(values: number[], boxes: number): Expected | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const expected = at(0.5);
  const factor = Math.sqrt(2 / ((1 - LEFT) / LEFT));
  const [below, above] = wilson(expected, boxes / 2);
  const low = Math.min(below, expected - factor * (expected - at(0.025)));
  const high = Math.max(above, expected + factor * (at(0.975) - expected));
  return { low: rounded(Math.max(0, low)), expected: rounded(expected), high: rounded(Math.min(1, high)) };
}

/** The interval of a share of n. */
function wilson(share: number, n: number): [number, number] {
  if (n <= 0) return [0, 1];
  const middle = (share + Z ** 2 / (2 * n)) / (1 + Z ** 2 / n);
  const half = (Z / (1 + Z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  return [middle - half, middle + half];
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
