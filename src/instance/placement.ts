// Where the mask and the keypoints of an object are, once its image was scaled, cut or mirrored.

import type { Placement, Shape } from "./instance.ts";

/** Nothing has moved. */
export const UNMOVED: Placement = [1, 1, 0, 0];

/** One placement after another. */
export function placedAgain([ax, ay, bx, by]: Placement, [sx, sy, tx, ty]: Placement): Placement {
  return [ax * sx, ay * sy, bx * sx + tx, by * sy + ty];
}

/**
 * Move a mask and keypoints. Polygons may reach out of the image, whose edge cuts them when they are drawn; run lengths stay,
 * and say in `placed` where their pixels are. Keypoints that are not annotated (visibility 0) stay at 0, 0. Mirroring does not
 * swap the left ones with the right ones: which these are, an object does not say.
 */
export function placeShape({ mask, keypoints }: Shape, placement: Placement): Shape {
  const [sx, sy, tx, ty] = placement;
  return {
    ...(mask && {
      mask:
        "polygons" in mask
          ? { polygons: mask.polygons.map((points) => points.map((v, i) => (i % 2 === 0 ? sx * v + tx : sy * v + ty))) }
          : { ...mask, placed: placedAgain(mask.placed ?? UNMOVED, placement) },
    }),
    ...(keypoints && {
      keypoints: keypoints.map((v, i) => {
        const known = keypoints[i - (i % 3) + 2]! > 0;
        return i % 3 === 2 || !known ? v : i % 3 === 0 ? sx * v + tx : sy * v + ty;
      }),
    }),
  };
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
