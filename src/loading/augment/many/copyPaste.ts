// Which objects of another picture are pasted: some of those with masks, that hide little of what is there.

import type { PixelBoxes } from "../../../data/dataset/sample.ts";
import { rngFromSeed } from "../../../util/random/rng.ts";
import type { SeenBoxes, Size } from "../step.ts";

/** An object is not pasted over this share of the box of another one. */
const MOST_HIDDEN = 0.3;

/** Places of the boxes of a picture, which are in pixels of `frame`. `seen`: what is there, in pixels of a frame over which the picture is spread. */
export function chosenObjects(
  { boxes: { boxes, annotations = [] }, frame }: { boxes: PixelBoxes; frame: Size },
  { seed, share, seen }: { seed: number; share: number; seen: SeenBoxes },
): number[] {
  const masked = annotations.flatMap(({ mask }, i) => (mask ? [i] : []));
  const wanted = rngFromSeed(seed)
    .shuffle(masked)
    .slice(0, Math.ceil(share * masked.length));
  const [sx, sy] = [seen.frame.width / frame.width, seen.frame.height / frame.height];
  return wanted.filter((i) => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return mostHidden([x1 * sx, y1 * sy, x2 * sx, y2 * sy], seen.boxes) < MOST_HIDDEN;
  });
}

/** The largest share of one of some boxes that a box covers. */
function mostHidden([x1, y1, x2, y2]: readonly [number, number, number, number], boxes: Float64Array): number {
  let most = 0;
  for (let i = 0; i < boxes.length; i += 4) {
    const [a1, b1, a2, b2] = [boxes[i]!, boxes[i + 1]!, boxes[i + 2]!, boxes[i + 3]!];
    const [width, height] = [Math.min(x2, a2) - Math.max(x1, a1), Math.min(y2, b2) - Math.max(y1, b1)];
    if (width > 0 && height > 0) most = Math.max(most, (width * height) / ((a2 - a1) * (b2 - b1)));
  }
  return most;
}
