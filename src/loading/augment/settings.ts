// The settings of each step, as a recipe gives them; names, meanings and defaults are Albumentations' where it has the step.

import type { ColourSettings, Span } from "./colour/settings.ts";

/** One for both axes, or one each. */
export type Axes = Span | { x: Span; y: Span };

/** A byte for all channels, or one each. */
export type Fill = number | readonly number[];

/** Degrees, counter-clockwise; a number is how far both ways. */
type Rotate = { name: "rotate"; limit: Span; fill: Fill };

/** Numbers are the value itself. Degrees of `rotate` and `shear`, factors, shares of width and height. */
type Affine = {
  name: "affine";
  scale: Axes;
  translate_percent: Axes;
  rotate: Span;
  shear: Axes;
  /** One factor for both axes. */
  keep_ratio: boolean;
  /** Smaller as often as larger. */
  balanced_scale: boolean;
  fill: Fill;
};

/** Numbers are how far both ways; `scale_limit` is added to a factor of 1. */
type ShiftScaleRotate = {
  name: "shift_scale_rotate";
  shift_limit: Span;
  scale_limit: Span;
  rotate_limit: Span;
  fill: Fill;
};

/** Standard deviation of how far corners move inwards, as a share of the sides; a number is the end of a range from 0. */
type Perspective = { name: "perspective"; scale: Span; fill: Fill };

/** Added to a factor of 1; a number is how far both ways. */
type RandomScale = { name: "random_scale"; scale_limit: Span };

type RandomCrop = { name: "random_crop"; height: number; width: number };

/** Share of the area, and width over height. */
type RandomResizedCrop = { name: "random_resized_crop"; scale: readonly number[]; ratio: readonly number[] };

/** `erosion_rate`: how much of the rectangle around all boxes may be cut off. */
type BoxSafeCrop = { name: "random_sized_bbox_safe_crop"; erosion_rate: number };

/** One step of a recipe that moves something. `p` is the probability of it. */
export type GeometrySettings = { p: number } & (
  | { name: "scale_jitter" }
  | { name: "horizontal_flip" }
  | { name: "vertical_flip" }
  | { name: "transpose" }
  | { name: "random_rotate90" }
  | Rotate
  | Affine
  | ShiftScaleRotate
  | Perspective
  | RandomScale
  | RandomCrop
  | RandomResizedCrop
  | BoxSafeCrop
);

/** Those of one of them. */
export type SettingsOf<Name extends GeometrySettings["name"]> = Extract<GeometrySettings, { name: Name }>;

/** Shares of width and height. */
type Mosaic = { name: "mosaic"; center_range: readonly number[] };

/** How much of its colours the picture keeps. */
type Mixup = { name: "mixup"; share_range: readonly number[] };

/** Share of the other picture's objects. */
type CopyPaste = { name: "copy_paste"; share: number };

/** One step of a recipe that takes other pictures, too. `p` is the probability of it. */
export type ManySettings = { p: number } & (Mosaic | Mixup | CopyPaste);

/** One step of a recipe. */
export type AugmentStep = GeometrySettings | ManySettings | ColourSettings;
