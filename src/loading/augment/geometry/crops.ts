// Steps that cut a part out of a picture, or scale it before one is cut.

import type { SettingsOf } from "../settings.ts";
import type { Area, Change, GeometryStep, Size } from "../step.ts";
import { between, bothWays, type Pair, pair } from "./draws.ts";

const SHORT_SIDES = [400, 500, 600] as const;
const CUT = { min: 384, max: 600 };

/** Scale the short side to 400, 500 or 600 and cut a square of 384..600 out (`datasets/_torchvision.py`). */
export const scaleJitter: GeometryStep<SettingsOf<"scale_jitter">> = {
  on: "file",
  draw(rng, size, { p }) {
    const [whole, pick, sideAt, topAt, leftAt] = [0, 1, 2, 3, 4].map(() => rng.uniform()) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (whole < 1 - p) return null;
    const resize = shortSide(size, SHORT_SIDES[Math.floor(pick * SHORT_SIDES.length)]!);
    const max = Math.min(CUT.max, resize.width, resize.height);
    const min = Math.min(CUT.min, max);
    const side = min + Math.floor(sideAt * (max - min + 1));
    const top = Math.floor(topAt * (resize.height - side + 1));
    const left = Math.floor(leftAt * (resize.width - side + 1));
    return { resize, cut: { top, left, width: side, height: side } };
  },
};

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

/** Larger or smaller, before something is cut out. */
export const randomScale: GeometryStep<SettingsOf<"random_scale">> = {
  on: "file",
  draw(rng, size, { p, scale_limit }) {
    const done = rng.uniform() < p;
    const factor = 1 + between(rng, bothWays(scale_limit));
    return done ? { resize: scaled(size, factor) } : null;
  },
};

function scaled({ width, height }: Size, factor: number): Size {
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/** A part of this size, or as much of it as there is. */
export const randomCrop: GeometryStep<SettingsOf<"random_crop">> = {
  on: "file",
  draw(rng, size, { p, ...wanted }) {
    const done = rng.uniform() < p;
    const at: Pair = [rng.uniform(), rng.uniform()];
    return done ? cutOut(size, placed(wanted, size, at)) : null;
  },
};

/** Draws of a shape until one fits into the picture. */
const ATTEMPTS = 10;

/** A part with a share of the picture's area and a ratio of its sides, both drawn; else what the ratio leaves of its middle. */
export const randomResizedCrop: GeometryStep<SettingsOf<"random_resized_crop">> = {
  on: "file",
  draw(rng, size, { p, scale, ratio }) {
    const done = rng.uniform() < p;
    const logs: Pair = [Math.log(pair(ratio)[0]), Math.log(pair(ratio)[1])];
    const shapes = Array.from({ length: ATTEMPTS }, (): Size => {
      const area = between(rng, pair(scale)) * size.width * size.height;
      const aspect = Math.exp(between(rng, logs));
      return { width: Math.round(Math.sqrt(area * aspect)), height: Math.round(Math.sqrt(area / aspect)) };
    });
    const at: Pair = [rng.uniform(), rng.uniform()];
    if (!done) return null;
    const fits = shapes.find(
      ({ width, height }) => width > 0 && height > 0 && width <= size.width && height <= size.height,
    );
    return cutOut(size, fits ? placed(fits, size, at) : placed(middle(size, pair(ratio)), size, [0.5, 0.5]));
  },
};

function middle({ width, height }: Size, [least, most]: Pair): Size {
  if (width / height < least) return { width, height: Math.max(1, Math.round(width / least)) };
  if (width / height > most) return { width: Math.max(1, Math.round(height * most)), height };
  return { width, height };
}

/** A part that holds all boxes, or all but a margin around them all; any part where there are none. */
export const boxSafeCrop: GeometryStep<SettingsOf<"random_sized_bbox_safe_crop">> = {
  on: "file",
  draw(rng, size, { p, erosion_rate: erosion }, seen) {
    const done = rng.uniform() < p;
    const at = [0, 1, 2, 3].map(() => rng.uniform()) as [number, number, number, number];
    if (!done) return null;
    const around = aroundAll(seen());
    if (!around) {
      const share = 1 - erosion + erosion * at[0];
      return cutOut(size, placed(scaled(size, Math.min(1, share)), size, [at[1], at[2]]));
    }
    const [x1, y1, x2, y2] = eroded(around, erosion);
    const [left, top] = [Math.floor(x1 * at[0] * size.width), Math.floor(y1 * at[1] * size.height)];
    const right = Math.ceil((x2 + (1 - x2) * at[2]) * size.width);
    const bottom = Math.ceil((y2 + (1 - y2) * at[3]) * size.height);
    return cutOut(size, { left, top, width: Math.max(1, right - left), height: Math.max(1, bottom - top) });
  },
};

type Corners = [x1: number, y1: number, x2: number, y2: number];

/** The rectangle around all boxes, in fractions of the picture. */
function aroundAll({ boxes, frame: { width, height } }: ReturnType<Parameters<(typeof boxSafeCrop)["draw"]>[3]>) {
  if (boxes.length === 0) return undefined;
  const around: Corners = [1, 1, 0, 0];
  for (let i = 0; i < boxes.length; i += 4) {
    around[0] = Math.min(around[0], boxes[i]! / width);
    around[1] = Math.min(around[1], boxes[i + 1]! / height);
    around[2] = Math.max(around[2], boxes[i + 2]! / width);
    around[3] = Math.max(around[3], boxes[i + 3]! / height);
  }
  return around;
}

/** Cut by a share of its sides all around, half of it at each end, so that something is left. */
function eroded([x1, y1, x2, y2]: Corners, rate: number): Corners {
  const [dx, dy] = [(x2 - x1) * rate * 0.5, (y2 - y1) * rate * 0.5];
  return [x1 + dx, y1 + dy, x2 - dx, y2 - dy];
}

/** The part of this size, or what there is of it, at a share of the room that is left. */
function placed({ width, height }: Size, size: Size, [topAt, leftAt]: Pair): Area {
  const [w, h] = [Math.min(width, size.width), Math.min(height, size.height)];
  return {
    top: Math.floor(topAt * (size.height - h + 1)),
    left: Math.floor(leftAt * (size.width - w + 1)),
    width: w,
    height: h,
  };
}

/** `resize` says of which size the picture is taken to be: a very large one is read smaller than its boxes are. */
function cutOut({ width, height }: Size, cut: Area): Change {
  return { resize: { width, height }, cut };
}
