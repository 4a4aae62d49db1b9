// Holes cut out of a picture (cutout); what is annotated stays.

import type { Rgb } from "../../../data/image/decode.ts";
import { rngFromSeed } from "../../../util/random/rng.ts";

/** Ranges, both ends included: sizes below 1 are shares of the picture's, where the height's range ends at 1 or above pixels. */
type Holes = {
  count: readonly [number, number];
  height: readonly [number, number];
  width: readonly [number, number];
  /** A byte for all channels, colours of each pixel, or one of each hole. */
  fill: number | "random" | "random_uniform";
  seed: number;
};

/** Cut holes out at random. */
export function cutHoles(image: Rgb, { count, fill, seed, ...sizes }: Holes): Rgb {
  const rng = rngFromSeed(seed);
  const out = { ...image, data: image.data.slice() };
  const between = (low: number, high: number) => low + rng.int(high - low + 1);
  const side = (length: number, [low, high]: readonly [number, number]) => {
    if (sizes.height[1] < 1) return Math.trunc(length * (low + (high - low) * rng.uniform()));
    const most = Math.trunc(Math.min(high, length));
    return between(Math.min(Math.trunc(low), most), most);
  };
  const colour = (): Colour => [rng.int(256), rng.int(256), rng.int(256)];
  for (let n = between(...count); n > 0; n--) {
    const [height, width] = [side(image.height, sizes.height), side(image.width, sizes.width)];
    const [top, left] = [between(0, image.height - height), between(0, image.width - width)];
    const one: Colour = typeof fill === "number" ? [fill, fill, fill] : colour();
    fillHole(out, { left, top, width, height }, fill === "random" ? colour : () => one);
  }
  return out;
}

type Colour = readonly [number, number, number];

/** Give each pixel of an area its colour, in place. */
export function fillHole(
  { data, width }: Rgb,
  hole: { left: number; top: number; width: number; height: number },
  colour: () => Colour,
): void {
  for (let y = hole.top; y < hole.top + hole.height; y++)
    for (let x = hole.left; x < hole.left + hole.width; x++) data.set(colour(), 3 * (y * width + x));
}
