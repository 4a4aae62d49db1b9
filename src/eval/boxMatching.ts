// Which detections of a class find an object, at each IoU threshold and size range: COCO's greedy matching, as in
// pycocotools' COCOeval.evaluateImg.

/** An annotated box. bbox: x, y, width, height in pixels. */
export type GroundTruth = {
  imageId: number;
  categoryId: number;
  bbox: readonly [x: number, y: number, width: number, height: number];
  /** What decides on small, medium and large; width * height if not given. */
  area?: number;
  /** A region of many objects: matches any number of detections, which then count neither way. */
  isCrowd?: boolean;
  /** As in the annotation file. pycocotools takes a match with annotation 0 for none, and so do we when it is given. */
  id?: number;
};

/** A predicted box. bbox: x, y, width, height in pixels. */
export type Detection = {
  imageId: number;
  categoryId: number;
  bbox: readonly [x: number, y: number, width: number, height: number];
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
 * The detections of a class, best first. `rank`: place among those of its image. Bit t of `matched[a]` and `ignored[a]`:
 * whether it matched, or counts neither way, at IoU threshold t and area range a. `positives[a]`: how many there are to find.
 */
export type Ranked = {
  scores: Float64Array;
  rank: Int32Array;
  matched: Uint16Array[];
  ignored: Uint16Array[];
  positives: Int32Array;
};

/** Match a class in all images: at most the `limit` best-scored detections of each. Ties keep image and list order. */
export function matchClass(
  truthsOf: (image: number) => GroundTruth[],
  detectionsOf: (image: number) => Detection[],
  images: number,
  limit: number,
): Ranked {
  const scores: number[] = [];
  const rank: number[] = [];
  const matched: number[][] = AREAS.map(() => []);
  const ignored: number[][] = AREAS.map(() => []);
  const positives = new Int32Array(AREAS.length);
  for (let image = 0; image < images; image++) {
    const truths = truthsOf(image);
    const best = detectionsOf(image).sort((a, b) => b.score - a.score).slice(0, limit); // biome-ignore format: one line
    if (truths.length === 0 && best.length === 0) continue;
    const ious = overlaps(best, truths);
    for (const [a, { from, to }] of AREAS.entries()) {
      const outside = (area: number) => area < from || area > to;
      const ignore = truths.map(({ isCrowd, bbox, area = bbox[2] * bbox[3] }) => isCrowd === true || outside(area));
      for (const skip of ignore) if (!skip) positives[a]!++;
      const outsideBits = best.map(({ bbox }) => (outside(bbox[2] * bbox[3]) ? 2 ** T - 1 : 0));
      const { matchedBits, ignoredBits } = matchImage(ious, truths, ignore, best.length);
      for (let d = 0; d < best.length; d++) {
        matched[a]!.push(matchedBits[d]!);
        ignored[a]!.push(ignoredBits[d]! | (outsideBits[d]! & ~matchedBits[d]!));
      }
    }
    for (const [d, { score }] of best.entries()) {
      scores.push(score);
      rank.push(d);
    }
  }
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return {
    scores: Float64Array.from(order, (i) => scores[i]!),
    rank: order.map((i) => rank[i]!),
    matched: matched.map((bits) => Uint16Array.from(order, (i) => bits[i]!)),
    ignored: ignored.map((bits) => Uint16Array.from(order, (i) => bits[i]!)),
    positives,
  };
}

/** IoU [detections, truths]; with a crowd: the part of the detection that lies in it. */
function overlaps(detections: Detection[], truths: GroundTruth[]): Float64Array {
  const ious = new Float64Array(detections.length * truths.length);
  let i = 0;
  for (const { bbox: d } of detections) {
    for (const { bbox: g, isCrowd } of truths) {
      const width = Math.min(d[0] + d[2], g[0] + g[2]) - Math.max(d[0], g[0]);
      const height = Math.min(d[1] + d[3], g[1] + g[3]) - Math.max(d[1], g[1]);
      if (width > 0 && height > 0) {
        const both = width * height;
        ious[i] = both / (isCrowd ? d[2] * d[3] : d[2] * d[3] + g[2] * g[3] - both);
      }
      i++;
    }
  }
  return ious;
}

/** Greedy matching of one image's detections, best first, at every threshold. Truths to ignore are taken last. */
function matchImage(ious: Float64Array, truths: GroundTruth[], ignore: boolean[], count: number) {
  const G = truths.length;
  const matchedBits = new Uint16Array(count);
  const ignoredBits = new Uint16Array(count);
  const order = [...ignore.keys()].sort((a, b) => Number(ignore[a]) - Number(ignore[b]));
  const taken = new Uint16Array(G);
  for (let d = 0; d < count; d++) {
    let highest = 0;
    for (let g = 0; g < G; g++) highest = Math.max(highest, ious[d * G + g]!);
    for (let t = 0; t < T && highest >= Math.min(IOU_THRESHOLDS[t]!, 1 - 1e-10); t++) {
      const bit = 1 << t;
      let least = Math.min(IOU_THRESHOLDS[t]!, 1 - 1e-10);
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
      if (ignore[match]) ignoredBits[d]! |= bit;
      if (truths[match]!.id !== 0) matchedBits[d]! |= bit;
    }
  }
  return { matchedBits, ignoredBits };
}
