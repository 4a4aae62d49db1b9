// One picture looked at twice, as it is and mirrored: what both views find is surer, and their boxes together are better placed.

import { boxIou } from "../instance/boxes.ts";
import type { FoundObject } from "./suspect.ts";

/** Detections of two views with so much in common are of one object. */
const SAME = 0.6;

/** Float32 images `[count, side, side, 3]` with left and right swapped. */
export function mirrorImages(images: Float32Array, side: number): Float32Array {
  const out = new Float32Array(images.length);
  for (let row = 0; row < images.length; row += 3 * side)
    for (let x = 0; x < side; x++) {
      const from = row + 3 * (side - 1 - x);
      const to = row + 3 * x;
      out[to] = images[from]!;
      out[to + 1] = images[from + 1]!;
      out[to + 2] = images[from + 2]!;
    }
  return out;
}

/** Boxes `[n, 4]` xyxy in a mirrored picture of this width, in the picture as it is. */
export function mirrorBoxes(boxes: Float32Array, width: number): Float32Array {
  const out = boxes.slice();
  for (let i = 0; i < boxes.length; i += 4) [out[i], out[i + 2]] = [width - boxes[i + 2]!, width - boxes[i]!];
  return out;
}

/**
 * The detections of the first view, each with the mean of its confidence and that of the same one in the second view (0 where there is none), and
 * with the mean of both boxes, by confidence. Both best-scored first, and so is the result. Masks stay those of the first view.
 */
export function joinViews(first: readonly FoundObject[], second: readonly FoundObject[]): FoundObject[] {
  const open = new Set(second);
  const joined = first.map((one): FoundObject => {
    const other = sameObject(one, open);
    if (!other) return { ...one, score: one.score / 2 };
    open.delete(other);
    const sum = one.score + other.score;
    const mean = (k: 0 | 1 | 2 | 3) => (one.score * one.box[k] + other.score * other.box[k]) / sum;
    return { ...one, score: sum / 2, ...(!one.mask && { box: [mean(0), mean(1), mean(2), mean(3)] }) };
  });
  return joined.sort((a, b) => b.score - a.score);
}

function sameObject(one: FoundObject, others: Iterable<FoundObject>): FoundObject | undefined {
  let [best, most]: [FoundObject | undefined, number] = [undefined, SAME];
  for (const other of others) {
    if (other.label !== one.label) continue;
    const share = boxIou(asCoco(one), asCoco(other));
    if (share > most || (share === most && !best)) [best, most] = [other, share];
  }
  return best;
}

function asCoco({ box: [x1, y1, x2, y2] }: FoundObject): [number, number, number, number] {
  return [x1, y1, x2 - x1, y2 - y1];
}
