// How sure the difference of two evaluations of the same images is: a paired bootstrap over images.

import { MAIN_METRIC } from "../../instance/metrics.ts";
import type { ClassMatches, Matches } from "../../run/records/matches.ts";
import { type Rng, rngFromSeed } from "../../util/random/rng.ts";
import { IOU_THRESHOLDS } from "../boxMatching.ts";
import { interpolate, RECALLS } from "../cocoAp.ts";

/** Samples of images; fewer where there is very much to go through. */
const SAMPLES = 1000;
const LEAST_SAMPLES = 100;
/** Detections times IoU thresholds that are gone through in all: some seconds. */
const MOST_ENTRIES = 2e8;

/**
 * By metric, half of the 95 % interval around the difference of both; `images`: of how many. It says what other images of the kind would
 * do to these two sets of weights, not what other seeds would do to the runs. Or why there is none.
 */
export type PairedDifference = { images: number; half: Record<string, number> } | { why: string };

/** Of two evaluations, whose images have to be the same with the same objects. The same seed gives the same. */
export function pairedDifference(a: Matches, b: Matches, { seed }: { seed: number }): PairedDifference {
  const why = whyNot(a, b);
  if (why !== undefined) return { why };
  const images = a.images.length;
  const places = new Map(a.images.map((file, place) => [file, place]));
  const placeIn = Uint32Array.from(b.images, (file) => places.get(file)!);
  const pairs = a.kinds.flatMap(({ prefix, classes }) => {
    const other = b.kinds.find((kind) => kind.prefix === prefix);
    return other ? [{ prefix, sides: [classes, other.classes.map((one) => moved(one, placeIn))] as const }] : [];
  });
  const entries = pairs.reduce(
    (sum, { sides }) => sum + sides.flat().reduce((n, { image }) => n + image.length + 1000, 0),
    0,
  );
  const samples = Math.max(LEAST_SAMPLES, Math.min(SAMPLES, Math.floor(MOST_ENTRIES / (10 * entries))));
  const rng = rngFromSeed(seed, 0x706169);
  const differences = new Map<string, number[]>();
  for (let sample = 0; sample < samples; sample++) {
    const times = draw(images, rng);
    for (const { prefix, sides } of pairs) {
      const [one, two] = [sampleAp(sides[0], times), sampleAp(sides[1], times)];
      for (const [name, value] of Object.entries(one)) {
        const key = `${prefix}${name}`;
        const list = differences.get(key) ?? [];
        differences.set(key, list);
        list.push(two[name as keyof typeof two] - value);
      }
    }
  }
  // a sample of n varies by (n - 1) / n of what images vary by, and few images say little of how much that is
  const widen = Math.sqrt(images / (images - 1)) * studentT(images - 1);
  return {
    images,
    half: Object.fromEntries([...differences].map(([name, values]) => [name, widen * deviation(values)])),
  };
}

/** Fewer images vary too little from one sample to another to say anything. */
const LEAST_IMAGES = 8;

function whyNot(a: Matches, b: Matches): string | undefined {
  const [one, two] = [a, b].map(({ images }) => [...images].sort());
  if (one!.join("\n") !== two!.join("\n") || new Set(one).size !== one!.length)
    return "they were not evaluated on the same images";
  if (one!.length < LEAST_IMAGES)
    return `${one!.length} validation images are too few to tell how much chance there is`;
  const placeOf = (all: Matches) => new Map(all.images.map((file, place) => [place, file]));
  const objects = (all: Matches) =>
    all.kinds[0]?.classes.map(({ name, objects: { image, count } }) => {
      const files = placeOf(all);
      return `${name}: ${[...image.keys()].map((i) => `${files.get(image[i]!)} ${count[i]}`).sort().join()}`; // biome-ignore format: one line
    });
  return objects(a)?.join("\n") === objects(b)?.join("\n")
    ? undefined
    : "their validation images have other classes or objects";
}

/** A class whose images have other places. */
function moved({ objects, image, ...rest }: ClassMatches, places: Uint32Array): ClassMatches {
  const move = (all: Uint32Array) => all.map((i) => places[i]!);
  return { ...rest, objects: { ...objects, image: move(objects.image) }, image: move(image) };
}

/** How often each image is in a sample of as many. */
function draw(images: number, rng: Rng): Uint16Array {
  const times = new Uint16Array(images);
  for (let i = 0; i < images; i++) times[rng.int(images)]!++;
  return times;
}

/**
 * The mean over the classes that have objects, of all IoU thresholds and of the lowest, 0 where none has; `times`: how often each image is
 * there.
 */
export function sampleAp(classes: readonly ClassMatches[], times: ArrayLike<number>) {
  const curve = new Float64Array(RECALLS.length);
  let [all, lenient, measured] = [0, 0, 0];
  for (const { objects, image, matched, ignored } of classes) {
    let positives = 0;
    for (let i = 0; i < objects.image.length; i++) positives += objects.count[i]! * times[objects.image[i]!]!;
    if (positives === 0) continue;
    measured++;
    const ofDetections = Uint16Array.from(image, (i) => times[i]!);
    for (let t = 0; t < IOU_THRESHOLDS.length; t++) {
      interpolate({ matched, ignored, positives, t, times: ofDetections }, curve);
      const mean = curve.reduce((sum, value) => sum + value, 0) / curve.length;
      all += mean / IOU_THRESHOLDS.length;
      if (t === 0) lenient += mean;
    }
  }
  return { [MAIN_METRIC]: all / Math.max(1, measured), AP50: lenient / Math.max(1, measured) };
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/** The number of standard deviations that holds 95 % of Student's distribution (Cornish and Fisher's expansion). */
function studentT(freedom: number): number {
  const z = 1.96;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}
