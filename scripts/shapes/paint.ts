// Colours for the synthetic scenes: what a surface looks like at each point.

import type { Rng } from "../../src/util/random/rng.ts";

type Colour = readonly [red: number, green: number, blue: number];

/** The colour at a point, in pixels; channels from 0 to 255, and a little beyond. */
export type Paint = (x: number, y: number) => Colour;

export function anyColour(rng: Rng): Colour {
  return [255 * rng.uniform(), 255 * rng.uniform(), 255 * rng.uniform()];
}

/** A colour at a distance from another one, so that it can be told from it. */
export function colourBeside(rng: Rng, other: Colour): Colour {
  for (;;) {
    const colour = anyColour(rng);
    if (Math.hypot(...colour.map((c, i) => c - other[i]!)) > 60) return colour;
  }
}

const scaled = (colour: Colour, by: number): Colour => [colour[0] * by, colour[1] * by, colour[2] * by];
const mixed = (a: Colour, b: Colour, t: number): Colour => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t,
];

/** Smooth noise between -1 and 1: random values on a grid of `cell` pixels, interpolated. */
export function noise(rng: Rng, cell: number): (x: number, y: number) => number {
  const side = 64;
  const values = Float32Array.from({ length: side * side }, () => 2 * rng.uniform() - 1);
  const at = (i: number, j: number) => values[((j & (side - 1)) * side + (i & (side - 1))) | 0]!;
  const smooth = (t: number) => t * t * (3 - 2 * t);
  return (x, y) => {
    const [u, v] = [x / cell + side, y / cell + side];
    const [i, j] = [Math.floor(u), Math.floor(v)];
    const [s, t] = [smooth(u - i), smooth(v - j)];
    const above = at(i, j) + (at(i + 1, j) - at(i, j)) * s;
    const below = at(i, j + 1) + (at(i + 1, j + 1) - at(i, j + 1)) * s;
    return above + (below - above) * t;
  };
}

/** One colour, two in stripes, one into another, or one with a grain. */
export function surface(rng: Rng, colour: Colour): Paint {
  const angle = 2 * Math.PI * rng.uniform();
  const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
  const kind = rng.uniform();
  if (kind < 0.3) return () => colour;
  if (kind < 0.5) {
    const [other, width] = [mixed(colour, anyColour(rng), 0.6), 2 + 5 * rng.uniform()];
    return (x, y) => (((((x * dx + y * dy) / width) % 2) + 2) % 2 < 1 ? colour : other);
  }
  if (kind < 0.75) {
    const [other, length] = [mixed(colour, anyColour(rng), 0.7), 20 + 40 * rng.uniform()];
    return (x, y) => mixed(colour, other, 0.5 + 0.5 * Math.sin((x * dx + y * dy) / length));
  }
  const [grain, strength] = [noise(rng, 1.5 + 3 * rng.uniform()), 0.1 + 0.25 * rng.uniform()];
  return (x, y) => scaled(colour, 1 + strength * grain(x, y));
}

/** Two colours that go over into each other in large and small patches. */
export function ground(rng: Rng, colour: Colour): Paint {
  const [other, strength] = [anyColour(rng), 0.5 * rng.uniform()];
  const [large, small] = [noise(rng, 20 + 60 * rng.uniform()), noise(rng, 2 + 8 * rng.uniform())];
  const fine = 0.15 * rng.uniform();
  return (x, y) => scaled(mixed(colour, other, strength * (0.5 + 0.5 * large(x, y))), 1 + fine * small(x, y));
}
