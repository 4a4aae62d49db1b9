// The classes of the synthetic scenes: which points of the plane belong to a shape, in coordinates in which it fits the unit circle.

import type { Rng } from "../../src/util/random/rng.ts";

/** Whether a point belongs to the shape. */
export type Outline = (x: number, y: number) => boolean;

const { PI, abs, atan2, cos, hypot, sin } = Math;

/** Inside of a polygon whose corners lie at these angles (turns) and radii, which go round once. */
function star(corners: readonly (readonly [turn: number, radius: number])[]): Outline {
  const points = corners.map(([turn, radius]) => [radius * cos(2 * PI * turn), radius * sin(2 * PI * turn)] as const);
  return (x, y) => {
    let inside = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
      const [[ax, ay], [bx, by]] = [points[i]!, points[j]!];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
  };
}

/** Each class with a shape of its kind: proportions are drawn, place, size and turn are not. */
export const OUTLINES: Record<string, (rng: Rng) => Outline> = {
  ellipse: (rng) => {
    const b = 0.55 + 0.45 * rng.uniform();
    return (x, y) => x * x + (y * y) / (b * b) < 1;
  },
  rectangle: (rng) => {
    const angle = 0.2 + 0.6 * rng.uniform();
    const [a, b] = [cos(angle), sin(angle)];
    return (x, y) => abs(x) < a && abs(y) < b;
  },
  triangle: (rng) => {
    const [a, b] = [0.28 + 0.1 * rng.uniform(), 0.62 + 0.1 * rng.uniform()];
    return star([0, a, b].map((turn) => [turn, 1]));
  },
  star: (rng) => {
    const tips = 5 + rng.int(3);
    const inner = 0.35 + 0.15 * rng.uniform();
    return star(Array.from({ length: 2 * tips }, (_, i) => [i / (2 * tips), i % 2 === 0 ? 1 : inner]));
  },
  ring: (rng) => {
    const hole = 0.4 + 0.25 * rng.uniform();
    return (x, y) => hypot(x, y) < 1 && hypot(x, y) > hole;
  },
  cross: (rng) => {
    const [a, b] = [0.2 + 0.15 * rng.uniform(), 0.9];
    return (x, y) => (abs(x) < a && abs(y) < b) || (abs(y) < a && abs(x) < b);
  },
  crescent: (rng) => {
    const [shift, bite] = [0.4 + 0.2 * rng.uniform(), 0.75 + 0.1 * rng.uniform()];
    return (x, y) => hypot(x, y) < 1 && hypot(x - shift, y) > bite;
  },
  blob: (rng) => {
    const waves = [2, 3, 4, 5].map((n) => [n, 0.12 * rng.uniform(), 2 * PI * rng.uniform()] as const);
    return (x, y) => {
      const turn = atan2(y, x);
      return hypot(x, y) < waves.reduce((radius, [n, size, at]) => radius + size * sin(n * turn + at), 0.72);
    };
  },
};

export const CLASSES = Object.keys(OUTLINES);
