// Random geometry of training images: the reference's default pipeline in square mode (`datasets/_torchvision.py`).

import type { Rng } from "../../util/rng.ts";
import { clampBoxes, type PixelBoxes } from "../dataset/sample.ts";
import type { Rgb } from "../image/decode.ts";
import { resizePillow } from "../image/resize.ts";

/** What may be done to a training image. */
export type Augment = {
  /** Probability of mirroring left and right. */
  horizontalFlip: number;
  /** Half of the time: scale the short side to 400, 500 or 600, cut a square of 384..600 out, resize that. */
  scaleJitter: boolean;
};

/** The reference's default. */
export const DEFAULT_AUGMENT: Augment = { horizontalFlip: 0.5, scaleJitter: true };

export type Size = { width: number; height: number };

/** What is drawn for one image: an optional resize and cut before the final resize, and whether to mirror. */
export type Geometry = {
  jitter: { resized: Size; top: number; left: number; side: number } | null;
  flip: boolean;
};

const SHORT_SIDES = [400, 500, 600] as const;
const CROP = { min: 384, max: 600 };

/** Draw the geometry for an image of this size; the number of draws does not depend on anything but `augment`. */
export function drawGeometry(rng: Rng, { width, height }: Size, augment: Augment): Geometry {
  let jitter: Geometry["jitter"] = null;
  if (augment.scaleJitter) {
    const [whole, pick, sideAt, topAt, leftAt] = [0, 1, 2, 3, 4].map(() => rng.uniform()) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (whole >= 0.5) {
      const resized = shortSide({ width, height }, SHORT_SIDES[Math.floor(pick * SHORT_SIDES.length)]!);
      const max = Math.min(CROP.max, resized.width, resized.height);
      const min = Math.min(CROP.min, max);
      const side = min + Math.floor(sideAt * (max - min + 1));
      const top = Math.floor(topAt * (resized.height - side + 1));
      const left = Math.floor(leftAt * (resized.width - side + 1));
      jitter = { resized, top, left, side };
    }
  }
  return { jitter, flip: rng.uniform() < augment.horizontalFlip };
}

/** The size with its short side set to `side` and the ratio kept; the long side is rounded as Python rounds. */
function shortSide({ width, height }: Size, side: number): Size {
  if (width < height) return { width: side, height: roundHalfEven((side * height) / width) };
  return { width: roundHalfEven((side * width) / height), height: side };
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Apply the geometry, all but the mirroring, and resize to a square. */
export function transformImage(image: Rgb, { jitter }: Geometry, resolution: number): Rgb {
  if (!jitter) return resizePillow(image, resolution, resolution);
  const resized = resizePillow(image, jitter.resized.width, jitter.resized.height);
  return resizePillow(crop(resized, jitter.top, jitter.left, jitter.side), resolution, resolution);
}

/**
 * The same for boxes (xyxy, in pixels of the original image), mirroring included. What a cut leaves without area is
 * dropped. Returns boxes on a unit of their own: divide them by `frame`.
 */
export function transformBoxes(
  { boxes, labels }: PixelBoxes,
  { width, height }: Size,
  { jitter, flip }: Geometry,
): { boxes: PixelBoxes; frame: Size } {
  let result: PixelBoxes = { boxes: Float64Array.from(boxes), labels };
  let frame: Size = { width, height };
  if (jitter) {
    const [sx, sy] = [jitter.resized.width / width, jitter.resized.height / height];
    const moved = boxes.map((v, i) => (i % 2 === 0 ? v * sx - jitter.left : v * sy - jitter.top));
    result = clampBoxes({ boxes: moved, labels }, jitter.side, jitter.side);
    frame = { width: jitter.side, height: jitter.side };
  }
  if (flip) {
    const b = result.boxes;
    for (let i = 0; i < b.length; i += 4) [b[i], b[i + 2]] = [frame.width - b[i + 2]!, frame.width - b[i]!];
  }
  return { boxes: result, frame };
}

function crop(image: Rgb, top: number, left: number, side: number): Rgb {
  const data = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const from = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(from, from + 3 * side), 3 * side * y);
  }
  return { data, width: side, height: side };
}
