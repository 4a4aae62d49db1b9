// Whether training on parts of the pictures would pay: objects that are too small at the resolution of the model, and what parts would cost.

import type { Sample } from "../../data/dataset/sample.ts";
import { DEFAULT_OVERLAP, LEAST_SLICE, partsOf } from "../../instance/slices/layout.ts";

/** An object of fewer pixels a side, at the resolution of the model, is hardly found. */
const SMALL = 10;

/** From this share of small objects on parts are proposed, and so many of all objects may stay small in them. */
const MUCH = 0.1;

/** Pictures that are no larger than a part by so much show no more in parts. */
const LARGER = 1.25;

/** More parts of a picture are no proposal. */
const MOST_PROPOSED = 20_000;

export type SlicesProposal = {
  /** Objects whose side, the root of width times height, is less than 10 pixels at the model's resolution: their share. */
  small: number;
  /** What `data.slices` should be. */
  size: number;
  overlap: number;
  /** Parts of a picture on average, whole pictures counted as one. */
  parts: number;
};

/**
 * Parts in which nine of ten objects have 10 pixels a side, as far as the pictures' own pixels go; null where few objects are small, or
 * the pictures have no more pixels to show them by. Samples whose size is not known are left out.
 */
export function proposeSlices(
  samples: readonly Sample[],
  { resolution }: { resolution: number },
): SlicesProposal | null {
  const known = samples.flatMap(({ width, height, annotations }) =>
    width && height ? [{ size: [height, width] as const, annotations }] : [],
  );
  const sides = known.flatMap(({ size: [height, width], annotations }) =>
    annotations.flatMap(({ box: [x1, y1, x2, y2], crowd }) => {
      const side = Math.sqrt((x2 - x1) * (y2 - y1));
      return !crowd && side > 0 ? [{ side, seen: (side * resolution) / Math.sqrt(width * height) }] : [];
    }),
  );
  const small = sides.filter(({ seen }) => seen < SMALL).length / Math.max(1, sides.length);
  if (small < MUCH) return null;
  const lower = sides.map(({ side }) => side).sort((a, b) => a - b)[Math.floor(MUCH * sides.length)]!;
  const size = Math.max(LEAST_SLICE, resolution, 32 * Math.floor((resolution * lower) / SMALL / 32));
  const overlap = DEFAULT_OVERLAP;
  if (known.every(({ size: [height, width] }) => Math.max(height, width) < LARGER * size)) return null;
  const step = size * (1 - overlap);
  if (known.some(({ size: [height, width] }) => (height * width) / step ** 2 > MOST_PROPOSED)) return null;
  const counts = known.map((one) => Math.max(1, partsOf(one.size, { size, overlap }).length));
  return { small, size, overlap, parts: counts.reduce((sum, count) => sum + count, 0) / counts.length };
}
