// How much detections have in common with labels that are well placed: of small or unsure ones that is less.

/** A label with the detection that shows its place: the side of an object of its area in pixels, the confidence, the share of both. */
export type PlacedLabel = { side: number; score: number; share: number };

/** So many labels of like kind as the mean of all count as. */
const WEIGHT_OF_ALL = 10;

/** The share that is expected of a label and a detection: the mean of those of like side and confidence in the same data. */
export function expectedShares(placed: readonly PlacedLabel[]): (one: Omit<PlacedLabel, "share">) => number {
  const all = placed.reduce((sum, { share }) => sum + share, 0) / Math.max(1, placed.length);
  const sums = new Map<string, { sum: number; count: number }>();
  for (const one of placed) {
    const like = sums.get(likeness(one)) ?? { sum: 0, count: 0 };
    like.sum += one.share;
    like.count++;
    sums.set(likeness(one), like);
  }
  return (one) => {
    const { sum, count } = sums.get(likeness(one)) ?? { sum: 0, count: 0 };
    return (sum + WEIGHT_OF_ALL * all) / (count + WEIGHT_OF_ALL);
  };
}

/** Sides that differ by less than the root of 2, and confidences by less than a fifth. */
function likeness({ side, score }: Omit<PlacedLabel, "share">): string {
  return `${Math.floor(2 * Math.log2(Math.max(side, 1)))} ${Math.floor(5 * score)}`;
}
