// Which detections of a class find an object, at each IoU threshold and size range: COCO's greedy matching, as in
// pycocotools' COCOeval.evaluateImg, by whatever detections and objects are compared by.

import { boxIou, type CocoBox, coveredShare } from "../instance/boxes.ts";
import type { Shape } from "../instance/instance.ts";

/** An annotated object. */
export type GroundTruth = Shape & {
  imageId: number;
  categoryId: number;
  bbox: CocoBox;
  /** What decides on small, medium and large; width * height if not given. */
  area?: number;
  /** A region of many objects: matches any number of detections, which then count neither way. */
  isCrowd?: boolean;
  /** As in the annotation file. pycocotools takes a match with annotation 0 for none, and so do we when it is given. */
  id?: number;
};

/** A predicted object. */
export type Detection = Shape & {
  imageId: number;
  categoryId: number;
  bbox: CocoBox;
  score: number;
};

/** n evenly spaced numbers, the ends exact. */
export const spaced = (from: number, to: number, n: number) =>
  Float64Array.from({ length: n }, (_, i) => (i === n - 1 ? to : from + i * ((to - from) / (n - 1))));

export const IOU_THRESHOLDS = spaced(0.5, 0.95, 10);
const T = IOU_THRESHOLDS.length;

/** Squares of 32 and 96 pixels part small from medium from large; the limits belong to both sides. */
export const AREAS = [
  { suffix: "", from: 0, to: 1e5 ** 2 },
  { suffix: "s", from: 0, to: 32 ** 2 },
  { suffix: "m", from: 32 ** 2, to: 96 ** 2 },
  { suffix: "l", from: 96 ** 2, to: 1e5 ** 2 },
] as const;

/**
 * The detections of a class, best first. `rank`: place among those of its image, which is the `image`-th. Bit t of `matched[a]` and `ignored[a]`:
 * whether it matched, or counts neither way, at IoU threshold t and area range a. `positives[a]`: how many there are to find, and `inImage`
 * how many of any size in each image.
 */
export type RankedMatches = {
  scores: Float64Array;
  rank: Int32Array;
  image: Int32Array;
  matched: Uint16Array[];
  ignored: Uint16Array[];
  positives: Int32Array;
  inImage: Int32Array;
};

export type Category = { id: number; name: string };

/**
 * Match each of `classes` in all images, one after the other (a whole data set's detections need much memory): its place
 * and its detections, at most the `limit` best-scored of each image. Boxes of other classes are left out.
 */
export function* matchClasses({
  groundTruths,
  detections,
  classes,
  limit,
  compare = compareBoxes,
}: {
  groundTruths: readonly GroundTruth[];
  detections: readonly Detection[];
  classes: readonly Category[];
  limit: number;
  compare?: ObjectComparison | undefined;
}): Generator<[place: number, ranked: RankedMatches]> {
  const imageIds = new Set<number>();
  for (const list of [groundTruths, detections]) for (const { imageId } of list) imageIds.add(imageId);
  const images = indexOf([...imageIds].sort((a, b) => a - b));
  const classOf = indexOf(classes.map(({ id }) => id));
  const truths = group(groundTruths, classOf, ({ categoryId }) => categoryId);
  const found = group(detections, classOf, ({ categoryId }) => categoryId);
  for (const place of classes.keys()) {
    const inImages = group(truths(place), images, byImage);
    const options = { images: images.size, limit, compare };
    yield [place, matchClass(inImages, group(found(place), images, byImage), options)];
  }
}

const byImage = ({ imageId }: { imageId: number }) => imageId;

/** Places of the distinct values of a list. */
function indexOf(values: number[]): Map<number, number> {
  const index = new Map<number, number>();
  for (const value of values) if (!index.has(value)) index.set(value, index.size);
  return index;
}

/** The items of the i-th key, in their order. Items whose key is not in the index are left out. */
function group<Item>(
  items: readonly Item[],
  index: Map<number, number>,
  key: (item: Item) => number,
): (i: number) => Item[] {
  const groups: (Item[] | undefined)[] = new Array(index.size);
  for (const item of items) {
    const i = index.get(key(item));
    if (i === undefined) continue;
    const group = groups[i];
    if (group) group.push(item);
    else groups[i] = [item];
  }
  return (i) => groups[i] ?? [];
}

/** Match a class in all images: at most the `limit` best-scored detections of each. Ties keep image and list order. */
function matchClass(
  truthsOf: (image: number) => GroundTruth[],
  detectionsOf: (image: number) => Detection[],
  { images, limit, compare }: { images: number; limit: number; compare: ObjectComparison },
): RankedMatches {
  const best = Array.from({ length: images }, (_, image) => bestFirst(detectionsOf(image)).slice(0, limit));
  const total = best.reduce((sum, { length }) => sum + length, 0);
  const scores = new Float64Array(total);
  const rank = new Int32Array(total);
  const imageOf = new Int32Array(total);
  const inImage = new Int32Array(images);
  const matched = AREAS.map(() => new Uint16Array(total));
  const ignored = AREAS.map(() => new Uint16Array(total));
  const positives = new Int32Array(AREAS.length);
  let start = 0;
  for (const [image, detections] of best.entries()) {
    const truths = truthsOf(image);
    const { similarity, areas, left } = compare(detections, truths);
    for (const [a, { from, to }] of AREAS.entries()) {
      const outside = (area: number) => area < from || area > to;
      const ignore = truths.map(
        ({ isCrowd, bbox, area = bbox[2] * bbox[3] }, g) => isCrowd === true || left?.[g] === true || outside(area),
      );
      for (const skip of ignore) if (!skip) positives[a]!++;
      if (a === 0) inImage[image] = ignore.filter((skip) => !skip).length;
      const ofArea = { matched: matched[a]!.subarray(start), ignored: ignored[a]!.subarray(start) };
      if (truths.length > 0) matchImage(similarity, truths, ignore, detections.length, ofArea);
      for (let d = 0; d < detections.length; d++) {
        if (outside(areas[d]!)) ofArea.ignored[d]! |= ALL_BITS & ~ofArea.matched[d]!;
      }
    }
    for (const [d, { score }] of detections.entries()) {
      scores[start + d] = score;
      rank[start + d] = d;
    }
    imageOf.fill(image, start, start + detections.length);
    start += detections.length;
  }
  const order = new Int32Array(total).map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const sorted = <Numbers extends Float64Array | Int32Array | Uint16Array>(numbers: Numbers): Numbers =>
    numbers.map((_, i) => numbers[order[i]!]!) as Numbers;
  return {
    ...{ scores: sorted(scores), rank: sorted(rank), image: sorted(imageOf), positives, inImage },
    ...{ matched: matched.map(sorted), ignored: ignored.map(sorted) },
  };
}

const ALL_BITS = 2 ** T - 1;

function bestFirst(detections: readonly Detection[]): Detection[] {
  return [...detections].sort((a, b) => b.score - a.score);
}

/** What detections and objects of one image and class are compared by. */
export type ObjectComparison = (
  detections: readonly Detection[],
  truths: readonly GroundTruth[],
) => {
  /** How much each has in common with each, 0 to 1; with a crowd: how much of the detection lies in it. [detections, truths]. */
  similarity: Float64Array;
  /** Of the detections, in square pixels. */
  areas: ArrayLike<number>;
  /** Objects that cannot be measured by this: they count neither way. [truths]. */
  left?: readonly boolean[];
};

const compareBoxes: ObjectComparison = (detections, truths) => ({
  similarity: pairwise(detections, truths, ({ bbox }, truth) =>
    truth.isCrowd ? coveredShare(bbox, truth.bbox) : boxIou(bbox, truth.bbox),
  ),
  areas: detections.map(({ bbox }) => bbox[2] * bbox[3]),
});

/** A number for each pair. [first, second]. */
export function pairwise<A, B>(first: readonly A[], second: readonly B[], of: (a: A, b: B) => number): Float64Array {
  const values = new Float64Array(first.length * second.length);
  let i = 0;
  for (const a of first) for (const b of second) values[i++] = of(a, b);
  return values;
}

/**
 * Greedy matching of one image's detections, best first, at every threshold; sets the bits of the first `count` of
 * `matched` and `ignored`. Truths to ignore are taken last.
 */
function matchImage(
  ious: Float64Array,
  truths: GroundTruth[],
  ignore: boolean[],
  count: number,
  { matched, ignored }: { matched: Uint16Array; ignored: Uint16Array },
): void {
  const G = truths.length;
  const order = Int32Array.from(ignore.keys()).sort((a, b) => Number(ignore[a]) - Number(ignore[b]) || a - b);
  const taken = new Uint16Array(G);
  for (let d = 0; d < count; d++) {
    let highest = 0;
    for (let g = 0; g < G; g++) highest = Math.max(highest, ious[d * G + g]!);
    for (let t = 0; t < T && highest >= AT_LEAST[t]!; t++) {
      const bit = 1 << t;
      let least = AT_LEAST[t]!;
      let match = -1;
      for (const g of order) {
        if (taken[g]! & bit && !truths[g]!.isCrowd) continue;
        if (match >= 0 && !ignore[match] && ignore[g]) break; // a match that counts is kept
        if (ious[d * G + g]! < least) continue;
        least = ious[d * G + g]!;
        match = g;
      }
      if (match < 0) continue;
      taken[match]! |= bit;
      if (ignore[match]) ignored[d]! |= bit;
      if (truths[match]!.id !== 0) matched[d]! |= bit;
    }
  }
}

/** A match at a threshold of 1 is let off rounding. */
const AT_LEAST = IOU_THRESHOLDS.map((threshold) => Math.min(threshold, 1 - 1e-10));
