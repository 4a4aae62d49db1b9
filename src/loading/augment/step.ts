// What an augmentation is: a step that draws a change, and the changes that there are.

import type { Rgb } from "../../data/image/decode.ts";
import type { Matrix } from "../../instance/matrix.ts";
import type { Rng } from "../../util/random/rng.ts";

/** Width and height in pixels. */
export type Size = { width: number; height: number };

/** A part of an image, in pixels from its top left corner. */
export type Area = Size & { top: number; left: number };

/** RGB bytes. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Each point comes to where `matrix` says, the size stays, and what nothing comes to has the colour `fill`. */
export type Warp = { matrix: Matrix; fill: Colour };

/** What is done to an image and to all that is annotated in it, in this order. */
export type Change = {
  /** Scale to this size. */
  resize?: Size;
  /** Keep this area of the scaled image only. */
  cut?: Area;
  /** Turn, shear, shift or tilt it. */
  warp?: Warp;
  /** Swap rows and columns. */
  transpose?: boolean;
  /** Swap top and bottom. */
  upsideDown?: boolean;
  /** Other colours, of each pixel by itself: nothing moves. */
  recolour?: (image: Rgb) => Rgb;
  /** Whether `recolour` must see left and right as they are; else a mirrored image comes out mirrored. */
  oriented?: boolean;
  /** Swap left and right. */
  mirror?: boolean;
  /** Put it on a canvas of this size, so far from its left and upper edge; a change by itself. */
  onto?: Area;
};

/** Boxes xyxy `[n, 4]` in an image of size `frame`, as changes left them. */
export type SeenBoxes = { boxes: Float64Array; frame: Size };

/** One augmentation that moves something. */
export type GeometryStep<Settings> = {
  /**
   * What it works on where no step of another kind has come before: a picture as its file has it, or one that was brought to the square that
   * the model sees, as all others are. Mirroring is the same on both.
   */
  on: "file" | "square" | "either";
  /**
   * Draw what to do to an image that earlier steps left at this size; null: nothing. How many numbers are drawn depends on the
   * settings alone. `seen`: the boxes that are in it.
   */
  draw(rng: Rng, size: Size, settings: Settings, seen: () => SeenBoxes): Change | null;
};

/** The size of an image after a change. */
export function sizeAfter({ resize, cut, transpose, onto }: Change, before: Size): Size {
  const { width, height } = onto ?? cut ?? resize ?? before;
  return transpose ? { width: height, height: width } : { width, height };
}
