// How many detections of each class find something, image by image and score by score: all that thresholds are chosen from.

import {
  type Category,
  type Detection,
  type GroundTruth,
  matchClasses,
  type ObjectComparison,
  spaced,
} from "../boxMatching.ts";

/** The thresholds that are looked at: 0, 0.01, ... 1, as the reference's evaluation/f1_sweep.py has them. */
export const THRESHOLDS = spaced(0, 1, 101);

export type Objects = {
  groundTruths: readonly GroundTruth[];
  detections: readonly Detection[];
  categories: readonly Category[];
  /** Default: boxes. */
  compare?: ObjectComparison | undefined;
};

/**
 * One class. `objects`: how many there are to find, and in which image. `cells`: an entry for each image and each threshold that is
 * the highest one some of its detections reach: of these, how many find an object at IoU 0.5 and how many do not.
 */
type ClassCounts = {
  category: Category;
  boxes: number;
  objects: { image: Int32Array; count: Int32Array };
  cells: { image: Int32Array; bin: Uint8Array; hits: Int32Array; misses: Int32Array };
};

/** Images count from 0, in the order of their ids; those without objects and detections are not among them. */
export type ScoreCounts = { images: number; classes: ClassCounts[] };

/** Count all detections at IoU 0.5; those that are matched to a crowd count neither way. */
export function countScores({ groundTruths, detections, categories, compare }: Objects): ScoreCounts {
  const counts: ScoreCounts = { images: 0, classes: [] };
  const everything = { groundTruths, detections, classes: categories, limit: Number.POSITIVE_INFINITY, compare };
  for (const [place, { scores, image, matched, ignored, positives, inImage }] of matchClasses(everything)) {
    counts.images = inImage.length;
    const cells = new Map<number, { hits: number; misses: number }>();
    let bin = THRESHOLDS.length - 1;
    for (let i = 0; i < scores.length; i++) {
      while (bin >= 0 && !(scores[i]! >= THRESHOLDS[bin]!)) bin--;
      if (bin < 0) break; // below 0: another program's
      if (ignored[0]![i]! & 1) continue;
      const key = image[i]! * THRESHOLDS.length + bin;
      const cell = cells.get(key) ?? { hits: 0, misses: 0 };
      cells.set(key, cell);
      if (matched[0]![i]! & 1) cell.hits++;
      else cell.misses++;
    }
    const withObjects = Int32Array.from(inImage.keys()).filter((i) => inImage[i]! > 0);
    const [keys, values] = [[...cells.keys()], [...cells.values()]];
    counts.classes.push({
      category: categories[place]!,
      boxes: positives[0]!,
      objects: { image: withObjects, count: withObjects.map((i) => inImage[i]!) },
      cells: {
        image: Int32Array.from(keys, (key) => Math.floor(key / THRESHOLDS.length)),
        bin: Uint8Array.from(keys, (key) => key % THRESHOLDS.length),
        hits: Int32Array.from(values, ({ hits }) => hits),
        misses: Int32Array.from(values, ({ misses }) => misses),
      },
    });
  }
  return counts;
}

/** Of one class or several: how many detections that score at least each threshold find something, and how many do not; [101]. */
export type Tally = { boxes: number; hits: Float64Array; misses: Float64Array };

export function emptyTally(): Tally {
  return { boxes: 0, hits: new Float64Array(THRESHOLDS.length), misses: new Float64Array(THRESHOLDS.length) };
}

/** The sums of each class over all images. */
export function tallyAll({ classes }: ScoreCounts): Tally[] {
  return classes.map(({ boxes, cells }) => {
    const tally = { ...emptyTally(), boxes };
    for (let i = 0; i < cells.bin.length; i++) {
      tally.hits[cells.bin[i]!]! += cells.hits[i]!;
      tally.misses[cells.bin[i]!]! += cells.misses[i]!;
    }
    return cumulate(tally);
  });
}

/**
 * The sums of each class over a sample of images and over those that are not in it. `times`: how often each image was drawn.
 */
export function tallySample({ classes }: ScoreCounts, times: Uint16Array): { drawn: Tally[]; left: Tally[] } {
  const [drawn, left] = [classes.map(emptyTally), classes.map(emptyTally)];
  for (const [k, { objects, cells }] of classes.entries()) {
    const [inside, outside] = [drawn[k]!, left[k]!];
    for (let i = 0; i < objects.image.length; i++) {
      const n = times[objects.image[i]!]!;
      if (n === 0) outside.boxes += objects.count[i]!;
      else inside.boxes += n * objects.count[i]!;
    }
    for (let i = 0; i < cells.bin.length; i++) {
      const n = times[cells.image[i]!]!;
      const tally = n === 0 ? outside : inside;
      tally.hits[cells.bin[i]!]! += (n || 1) * cells.hits[i]!;
      tally.misses[cells.bin[i]!]! += (n || 1) * cells.misses[i]!;
    }
    cumulate(inside);
    cumulate(outside);
  }
  return { drawn, left };
}

/** From what reaches each threshold as its highest one to all that reaches it. */
function cumulate(tally: Tally): Tally {
  for (const numbers of [tally.hits, tally.misses])
    for (let bin = THRESHOLDS.length - 2; bin >= 0; bin--) numbers[bin]! += numbers[bin + 1]!;
  return tally;
}
