// What the losses of masks are made with, and at how many points they look.

/** Names and defaults are the reference's, but for `missing`, which is "empty" there. */
export type MaskLossSettings = {
  /** Weights of cross-entropy and dice, of the loss and of the matcher's costs alike. */
  ceCoef: number;
  diceCoef: number;
  /** Cells of a mask for each point at which it is looked at. */
  pointRatio: number;
  /** An instance without a mask in the annotations has no part in these losses, or counts as one of no pixel. */
  missing: "skip" | "empty";
};

export const MASK_LOSSES: MaskLossSettings = { ceCoef: 5, diceCoef: 5, pointRatio: 16, missing: "skip" };

/** Candidates for each point of a loss, and the share of points that are the least certain candidates. */
const CANDIDATES = 3;
const UNCERTAIN = 0.75;

/** Points of the matcher's costs of masks of so many cells. */
export function costPoints([rows, columns]: readonly [number, number], { pointRatio }: MaskLossSettings): number {
  return Math.max(1, Math.floor((rows * columns) / pointRatio));
}

/** Candidates of a loss's points; how many of them are kept, and how many points are drawn besides. */
export function lossPoints([rows, columns]: readonly [number, number], { pointRatio }: MaskLossSettings) {
  const points = Math.max(rows, Math.floor((rows * columns) / pointRatio));
  const kept = Math.floor(UNCERTAIN * points);
  return { candidates: CANDIDATES * points, kept, drawn: points - kept };
}
