// Steps that turn, shear, shift, scale or tilt a picture within its frame; matrices as Albumentations 2.x makes them.

import { followed, inverse, type Matrix, scaling } from "../../../instance/matrix.ts";
import type { Rng } from "../../../util/random/rng.ts";
import type { SettingsOf } from "../settings.ts";
import type { GeometryStep, Size } from "../step.ts";
import { axes, between, bothWays, exactly, fillColour, type Pair } from "./draws.ts";

export const rotate: GeometryStep<SettingsOf<"rotate">> = {
  on: "square",
  draw(rng, size, { p, limit, fill }) {
    const done = rng.uniform() < p;
    const angle = between(rng, bothWays(limit));
    return done ? { warp: { matrix: affineMatrix(size, { angle }), fill: fillColour(fill) } } : null;
  },
};

export const affineStep: GeometryStep<SettingsOf<"affine">> = {
  on: "square",
  draw(rng, size, settings) {
    const done = rng.uniform() < settings.p;
    const { fill, keep_ratio: keepRatio, balanced_scale: balanced } = settings;
    const [share, shears, factors] = [axes(settings.translate_percent), axes(settings.shear), axes(settings.scale)];
    const shift: Pair = [
      Math.trunc(between(rng, share.x) * size.width),
      Math.trunc(between(rng, share.y) * size.height),
    ];
    const shear: Pair = [-between(rng, shears.x), -between(rng, shears.y)];
    const [x, y] = [factor(rng, factors.x, balanced), factor(rng, factors.y, balanced)];
    const angle = between(rng, exactly(settings.rotate));
    const matrix = affineMatrix(size, { shift, shear, scale: [x, keepRatio ? x : y], angle });
    return done ? { warp: { matrix, fill: fillColour(fill) } } : null;
  },
};

/** A factor; balanced: below 1 as often as above, where the range has both. */
function factor(rng: Rng, [low, high]: Pair, balanced: boolean): number {
  const [side, at] = [rng.uniform(), rng.uniform()];
  const [from, to] = !balanced || low >= 1 || high <= 1 ? [low, high] : side < 0.5 ? [low, 1] : [1, high];
  return from + (to - from) * at;
}

export const shiftScaleRotate: GeometryStep<SettingsOf<"shift_scale_rotate">> = {
  on: "square",
  draw(rng, size, { p, shift_limit, scale_limit, rotate_limit, fill }) {
    const done = rng.uniform() < p;
    const shift: Pair = [
      Math.trunc(between(rng, bothWays(shift_limit)) * size.width),
      Math.trunc(between(rng, bothWays(shift_limit)) * size.height),
    ];
    const scale: Pair = [1 + between(rng, bothWays(scale_limit)), 1 + between(rng, bothWays(scale_limit))];
    const angle = between(rng, bothWays(rotate_limit));
    return done ? { warp: { matrix: affineMatrix(size, { shift, scale, angle }), fill: fillColour(fill) } } : null;
  },
};

/** Corners move inwards at most this share of a side. */
const MOST_INWARDS = 0.32;

/** Four points near the corners become the corners. */
export const perspective: GeometryStep<SettingsOf<"perspective">> = {
  on: "square",
  draw(rng, { width, height }, { p, scale, fill }) {
    const done = rng.uniform() < p;
    const deviation = between(rng, typeof scale === "number" ? [0, scale] : exactly(scale));
    const inwards = Array.from({ length: 8 }, () => (Math.abs(rng.normal()) * deviation) % MOST_INWARDS);
    if (!done) return null;
    const [ax, ay, bx, by, cx, cy, dx, dy] = inwards as [number, number, number, number, number, number, number, number]; // biome-ignore format: one line
    const points = [ax, ay, 1 - bx, by, 1 - cx, 1 - cy, dx, 1 - dy] as const;
    const matrix = followed(
      scaling([1 / width, 1 / height, 0, 0]),
      followed(inverse(fromUnitSquare(points)), scaling([width, height, 0, 0])),
    );
    return { warp: { matrix, fill: fillColour(fill) } };
  },
};

type Quad = readonly [number, number, number, number, number, number, number, number];

/** The map that takes the corners of the unit square, clockwise from the upper left, to four points. */
function fromUnitSquare([x0, y0, x1, y1, x2, y2, x3, y3]: Quad): Matrix {
  const [dx1, dx2, dx3] = [x1 - x2, x3 - x2, x0 - x1 + x2 - x3];
  const [dy1, dy2, dy3] = [y1 - y2, y3 - y2, y0 - y1 + y2 - y3];
  const determinant = dx1 * dy2 - dx2 * dy1;
  const g = (dx3 * dy2 - dx2 * dy3) / determinant;
  const h = (dx1 * dy3 - dx3 * dy1) / determinant;
  return [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h, 1];
}

/** About the middle: scale, turn (degrees, counter-clockwise), shear (degrees), shift (pixels). */
function affineMatrix(
  { width, height }: Size,
  { shift = [0, 0], shear = [0, 0], scale = [1, 1], angle }: { shift?: Pair; shear?: Pair; scale?: Pair; angle: number }, // biome-ignore format: one line
): Matrix {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const [sin, cos] = [Math.sin(radians(angle)), Math.cos(radians(angle))];
  const steps: Matrix[] = [
    scaling([...scale, (-scale[0] * width) / 2, (-scale[1] * height) / 2]),
    [cos, sin, 0, -sin, cos, 0, 0, 0, 1],
    [1, Math.tan(radians(shear[0])), 0, Math.tan(radians(shear[1])), 1, 0, 0, 0, 1],
    scaling([1, 1, width / 2 + shift[0], height / 2 + shift[1]]),
  ];
  return steps.reduce(followed);
}
