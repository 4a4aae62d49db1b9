// What an augmentation is: a step that draws a change, and the changes that there are.

import type { Rgb } from "../../data/image/decode.ts";
import type { Rng } from "../../util/random/rng.ts";

/** Width and height in pixels. */
export type Size = { width: number; height: number };

/** A part of an image, in pixels from its top left corner. */
export type Area = Size & { top: number; left: number };

/** What is done to an image and to all that is annotated in it, in this order. */
export type Change = {
  /** Scale to this size. */
  resize?: Size;
  /** Keep this area of the scaled image only. */
  cut?: Area;
  /** Other colours, of each pixel by itself: nothing moves, and a mirrored image comes out mirrored. */
  recolour?: (image: Rgb) => Rgb;
  /** Swap left and right. */
  mirror?: boolean;
};

/** One augmentation, with what it takes from the recipe's `data.augment`. */
export type Step<Settings> = {
  /** Its key in the recipe. */
  name: keyof Settings & string;
  /**
   * Draw what to do to an image that earlier steps left at this size; null: nothing. How many numbers are drawn depends on the
   * settings alone.
   */
  draw(rng: Rng, size: Size, settings: Settings): Change | null;
};

/** The size of an image after a change. */
export function sizeAfter({ resize, cut }: Change, before: Size): Size {
  const { width, height } = cut ?? resize ?? before;
  return { width, height };
}
