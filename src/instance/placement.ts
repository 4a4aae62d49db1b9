// Where the mask and the keypoints of an object are, once its image was scaled, cut, mirrored or turned.

import type { Placement, Shape } from "./instance.ts";
import { followed, type Matrix, movedPoint, scaling } from "./matrix.ts";

/** Nothing has moved. */
export const UNMOVED: Placement = [1, 1, 0, 0];

/** One placement after another. */
export function placedAgain(first: Placement, then: Placement): Placement {
  if (!isScaling(first) || !isScaling(then)) return followed(asMatrix(first), asMatrix(then));
  const [[ax, ay, bx, by], [sx, sy, tx, ty]] = [first, then];
  return [ax * sx, ay * sy, bx * sx + tx, by * sy + ty];
}

function isScaling(placement: Placement): placement is Extract<Placement, { length: 4 }> {
  return placement.length === 4;
}

/** The matrix that does the same. */
export function asMatrix(placement: Placement): Matrix {
  return isScaling(placement) ? scaling(placement) : placement;
}

/** The point that a point has come to. */
function placedPoint(placement: Placement, x: number, y: number): [x: number, y: number] {
  if (!isScaling(placement)) return movedPoint(placement, x, y);
  const [sx, sy, tx, ty] = placement;
  return [sx * x + tx, sy * y + ty];
}

/**
 * Move a mask and keypoints. Polygons may reach out of the image, whose edge cuts them when they are drawn; run lengths stay,
 * and say in `placed` where their pixels are. Keypoints that are not annotated (visibility 0) stay at 0, 0. Mirroring does not
 * swap the left ones with the right ones: which these are, an object does not say.
 */
export function placeShape({ mask, keypoints }: Shape, placement: Placement): Shape {
  return {
    ...(mask && {
      mask:
        "polygons" in mask
          ? { polygons: mask.polygons.map((points) => placePoints(points, placement)) }
          : { ...mask, placed: placedAgain(mask.placed ?? UNMOVED, placement) },
    }),
    ...(keypoints && { keypoints: placeKeypoints(keypoints, placement) }),
  };
}

/** Move points `[x, y, x, y, ...]`. */
export function placePoints(points: readonly number[], placement: Placement): number[] {
  const out = new Array<number>(points.length - (points.length % 2)); // a list that grows takes twice the memory
  // read one by one: destructuring leaves more to collect than the points take
  const { 0: a, 1: b, 2: c, 3: d } = placement;
  if (isScaling(placement)) {
    for (let i = 0; i < out.length; i += 2) {
      out[i] = a * points[i]! + c;
      out[i + 1] = b * points[i + 1]! + d;
    }
    return out;
  }
  const { 4: e, 5: f, 6: g, 7: h, 8: k } = placement;
  for (let i = 0; i < out.length; i += 2) {
    const x = points[i]!;
    const y = points[i + 1]!;
    const w = g * x + h * y + k;
    out[i] = (a * x + b * y + c) / w;
    out[i + 1] = (d * x + e * y + f) / w;
  }
  return out;
}

function placeKeypoints(keypoints: readonly number[], placement: Placement): number[] {
  const out = [...keypoints];
  for (let i = 0; i + 2 < out.length; i += 3)
    if (out[i + 2]! > 0) [out[i], out[i + 1]] = placedPoint(placement, out[i]!, out[i + 1]!);
  return out;
}

/** Keypoints outside of [0, width] x [0, height] count as not annotated: 0, 0, 0. */
export function dropHiddenKeypoints(shape: Shape, width: number, height: number): Shape {
  if (!shape.keypoints) return shape;
  const kept: number[] = [];
  for (let i = 0; i + 2 < shape.keypoints.length; i += 3) {
    const [x, y, visibility] = shape.keypoints.slice(i, i + 3) as [number, number, number];
    const inside = visibility > 0 && x >= 0 && x <= width && y >= 0 && y <= height;
    kept.push(...(inside ? [x, y, visibility] : [0, 0, 0]));
  }
  return { ...shape, keypoints: kept };
}
