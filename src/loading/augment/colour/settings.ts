// The settings of each colour step, as a recipe gives them; names, meanings and defaults are Albumentations'.

/** One number, whose meaning is the step's, or from where to where something is drawn. */
export type Span = number | readonly number[];

type BrightnessContrast = {
  name: "random_brightness_contrast";
  /** Added, as a share of 255 or of the picture's mean; a number is how far both ways. */
  brightness_limit: Span;
  /** Added to a factor of 1; a number is how far both ways. */
  contrast_limit: Span;
  brightness_by_max: boolean;
};

/** Factors; a number is how far from 1 both ways. Of `hue`: turns of the circle of colours, a number is how far both ways. */
type ColorJitter = { name: "color_jitter"; brightness: Span; contrast: Span; saturation: Span; hue: Span };

/** Added to hue (half degrees), saturation and value (both of 255); a number is how far both ways. */
type HueSaturationValue = {
  name: "hue_saturation_value";
  hue_shift_limit: Span;
  sat_shift_limit: Span;
  val_shift_limit: Span;
};

/** Hundredths of the exponent; a number is the end of a range from 1. */
type Gamma = { name: "random_gamma"; gamma_limit: Span };

/** A number as `clip_limit` is the end of a range from 1; tiles are counted across and down. */
type Clahe = { name: "clahe"; clip_limit: Span; tile_grid_size: readonly number[] };

type Sharpen = { name: "sharpen"; alpha: readonly number[]; lightness: readonly number[] };

/** Sides of the square; a number is the end of a range from 3. */
type Blur = { name: "blur"; blur_limit: Span };

/** Sides of the square, 0 for what sigma needs, and sigma in pixels; a number is the end of a range from 0. */
type GaussianBlur = { name: "gaussian_blur"; blur_limit: Span; sigma_limit: Span };

type MotionBlur = {
  name: "motion_blur";
  blur_limit: Span;
  allow_shifted: boolean;
  /** Degrees, clockwise from right. */
  angle_range: readonly number[];
  /** -1: behind a pixel only, 1: before it only. */
  direction_range: readonly number[];
};

/** Standard deviation as a share of 255. */
type GaussNoise = { name: "gauss_noise"; std_range: readonly number[]; per_channel: boolean };

/** JPEG's 1 to 100, both ends included. */
type ImageCompression = { name: "image_compression"; quality_range: readonly number[] };

/** Sizes below 1 are shares of the picture's, others pixels. `fill` is a byte, or says how colours are drawn: each pixel's, each hole's. */
type CoarseDropout = {
  name: "coarse_dropout";
  num_holes_range: readonly number[];
  hole_height_range: readonly number[];
  hole_width_range: readonly number[];
  fill: number | "random" | "random_uniform";
};

/** One colour step of a recipe. `p` is the probability of it. */
export type ColourSettings = { p: number } & (
  | BrightnessContrast
  | ColorJitter
  | HueSaturationValue
  | Gamma
  | Clahe
  | { name: "equalize" }
  | { name: "to_gray" }
  | Sharpen
  | Blur
  | GaussianBlur
  | MotionBlur
  | GaussNoise
  | ImageCompression
  | CoarseDropout
);
