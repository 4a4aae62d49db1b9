// The colour steps of `data.augment`; names, meanings and defaults are Albumentations'.

import { z } from "zod";
import { factor } from "../fields.ts";
import { range, span, step } from "./step.ts";

const signed = (most: number) => z.number().min(-most).max(most);
const upTo = (most: number) => z.number().min(0).max(most);

const BLUR_SIDE = z.int().min(3).max(255);
const HOLE = z.number().min(0).max(10_000);

const brightnessContrast = step("random_brightness_contrast", {
  brightness_limit: span(signed(1))
    .default([-0.2, 0.2])
    .describe("Added to all colours, as a share of the largest; a number is how far both ways"),
  contrast_limit: span(signed(1))
    .default([-0.2, 0.2])
    .describe("Added to a factor of 1 on all colours; a number is how far both ways"),
  brightness_by_max: z
    .boolean()
    .default(true)
    .describe("Brightness is a share of the largest colour there can be; false: of the picture's mean"),
});

const colorJitter = step("color_jitter", {
  brightness: span(upTo(10))
    .default([0.8, 1.2])
    .describe("Factor on all colours; a number is how far from 1 both ways"),
  contrast: span(upTo(10))
    .default([0.8, 1.2])
    .describe("Factor on the distance from the picture's mean grey; a number is how far from 1 both ways"),
  saturation: span(upTo(10))
    .default([0.8, 1.2])
    .describe("Factor on the distance from each pixel's grey; a number is how far from 1 both ways"),
  hue: span(signed(0.5)).default([-0.5, 0.5]).describe("Turns of the circle of colours; a number is how far both ways"),
});

const hueSaturationValue = step("hue_saturation_value", {
  hue_shift_limit: span(signed(180))
    .default([-20, 20])
    .describe("Added to the hue, in half degrees; a number is how far both ways"),
  sat_shift_limit: span(signed(255))
    .default([-30, 30])
    .describe("Added to the saturation of 255; a number is how far both ways"),
  val_shift_limit: span(signed(255))
    .default([-20, 20])
    .describe("Added to the value of 255; a number is how far both ways"),
});

const gamma = step("random_gamma", {
  gamma_limit: span(z.number().min(1).max(1000))
    .default([80, 120])
    .describe("Hundredths of the exponent on colours from 0 to 1; a number is the end of a range from 1"),
});

const clahe = step("clahe", {
  clip_limit: span(z.number().min(1).max(256))
    .default([1, 4])
    .describe("How steep lightness may become; a number is the end of a range from 1"),
  tile_grid_size: z
    .array(z.int().min(1).max(64))
    .length(2)
    .default([8, 8])
    .describe("Tiles across and down, each of which has its own histogram"),
});

const equalize = step("equalize", {});
const toGray = step("to_gray", {});

const sharpen = step("sharpen", {
  alpha: range(factor()).default([0.2, 0.5]).describe("Share of the sharpened picture in what comes out"),
  lightness: range(upTo(10)).default([0.5, 1]).describe("Lightness of the sharpened picture"),
});

const blur = step("blur", {
  blur_limit: span(BLUR_SIDE)
    .default([3, 7])
    .describe("Side of the square whose mean is taken, odd, in pixels; a number is the end of a range from 3"),
});

const gaussianBlur = step("gaussian_blur", {
  blur_limit: span(z.int().min(0).max(255))
    .default(0)
    .describe("Side of the kernel, odd, in pixels, 0 for what sigma needs; a number is the end of a range from 0"),
  sigma_limit: span(upTo(30))
    .default([0.5, 3])
    .describe("Standard deviation in pixels; a number is the end of a range from 0"),
});

const motionBlur = step("motion_blur", {
  blur_limit: span(BLUR_SIDE)
    .default([3, 7])
    .describe("Length of the line whose mean is taken, odd, in pixels; a number is the end of a range from 3"),
  allow_shifted: z.boolean().default(true).describe("The line may lie beside the pixel"),
  angle_range: range(upTo(360)).default([0, 360]).describe("Angle of the line in degrees"),
  direction_range: range(signed(1))
    .default([-1, 1])
    .describe("Where the line goes from the pixel: -1 behind it only, 0 both ways, 1 before it only"),
});

const gaussNoise = step("gauss_noise", {
  std_range: range(factor()).default([0.2, 0.44]).describe("Standard deviation as a share of the largest colour"),
  per_channel: z.boolean().default(true).describe("Each channel has noise of its own; false: grey noise"),
});

const imageCompression = step("image_compression", {
  quality_range: range(z.int().min(1).max(100)).default([99, 100]).describe("Quality of the JPEG, 1 to 100"),
});

const coarseDropout = step("coarse_dropout", {
  num_holes_range: range(z.int().min(1).max(1000)).default([1, 2]).describe("How many holes; boxes and masks stay"),
  hole_height_range: range(HOLE)
    .default([0.1, 0.2])
    .describe("Height as a share of the picture's; from 1 on in pixels"),
  hole_width_range: range(HOLE)
    .default([0.1, 0.2])
    .describe("Width as a share of the picture's; in pixels where the height is"),
  fill: z
    .union([z.int().min(0).max(255), z.enum(["random", "random_uniform"])])
    .default(0)
    .describe("Colour of a hole: one number for all channels, random for each pixel, or random_uniform for each hole"),
});

/** Steps that change colours only: nothing moves. */
export const colourSteps = [
  brightnessContrast,
  colorJitter,
  hueSaturationValue,
  gamma,
  clahe,
  equalize,
  toGray,
  sharpen,
  blur,
  gaussianBlur,
  motionBlur,
  gaussNoise,
  imageCompression,
  coarseDropout,
] as const;
