// The steps of `data.augment` that move something; names, meanings and defaults are Albumentations' where it has the step.

import { z } from "zod";
import { count, factor } from "../fields.ts";
import { range, span, step } from "./step.ts";

const degrees = () => z.number().min(-360).max(360);
const share = () => z.number().min(-1).max(1);
const byte = () => z.int().min(0).max(255);

const fill = () =>
  z
    .union([byte(), z.array(byte()).length(3)])
    .default(0)
    .describe("Colour of what comes from outside of the picture: one number, or red, green and blue");

const axes = <N extends z.ZodType<number>>(one: () => N) =>
  z.union([span(one()), z.strictObject({ x: span(one()).describe("Across"), y: span(one()).describe("Down") })]);

const scaleJitter = step("scale_jitter", {});
const horizontalFlip = step("horizontal_flip", {});
const verticalFlip = step("vertical_flip", {});
const transpose = step("transpose", {});
const randomRotate90 = step("random_rotate90", {});

const rotate = step("rotate", {
  limit: span(degrees())
    .default([-90, 90])
    .describe("Degrees, counter-clockwise, from where to where; a number is how far both ways"),
  fill: fill(),
});

const affine = step("affine", {
  scale: axes(() => z.number().min(0.05).max(20))
    .default([1, 1])
    .describe("Factor on the size: a number, from where to where, or x and y; drawn for each axis"),
  translate_percent: axes(share)
    .default([0, 0])
    .describe("Shift as a share of width and height: a number, from where to where, or x and y"),
  rotate: span(degrees()).default(0).describe("Degrees, counter-clockwise: a number, or from where to where"),
  shear: axes(() => z.number().min(-80).max(80))
    .default([0, 0])
    .describe("Degrees: a number, from where to where, or x and y"),
  keep_ratio: z.boolean().default(false).describe("One factor for both axes"),
  balanced_scale: z.boolean().default(false).describe("Smaller as often as larger, whatever the range"),
  fill: fill(),
});

const shiftScaleRotate = step("shift_scale_rotate", {
  shift_limit: span(share())
    .default([-0.0625, 0.0625])
    .describe("Shift as a share of width and height; a number is how far both ways"),
  scale_limit: span(z.number().min(-0.95).max(19))
    .default([-0.1, 0.1])
    .describe("Added to a factor of 1 on the size; a number is how far both ways"),
  rotate_limit: span(degrees())
    .default([-45, 45])
    .describe("Degrees, counter-clockwise; a number is how far both ways"),
  fill: fill(),
});

const perspective = step("perspective", {
  scale: span(factor())
    .default([0.05, 0.1])
    .describe("Standard deviation of how far corners move inwards, as a share of the sides"),
  fill: fill(),
});

const randomScale = step("random_scale", {
  scale_limit: span(z.number().min(-0.95).max(3))
    .default([-0.1, 0.1])
    .describe("Added to a factor of 1 on the size, before a crop; a number is how far both ways"),
});

const randomCrop = step("random_crop", {
  height: count().max(10_000).describe("Rows of the part, in pixels"),
  width: count().max(10_000).describe("Columns of the part, in pixels"),
});

const randomResizedCrop = step("random_resized_crop", {
  scale: range(z.number().min(0.001).max(1)).default([0.08, 1]).describe("Share of the picture's area"),
  ratio: range(z.number().min(0.05).max(20)).default([0.75, 1.3333333333333333]).describe("Width over height"),
});

const boxSafeCrop = step("random_sized_bbox_safe_crop", {
  erosion_rate: factor().default(0).describe("How much may be cut off the rectangle around all boxes"),
});

/** Steps that move something. */
export const geometrySteps = [
  scaleJitter,
  horizontalFlip,
  verticalFlip,
  transpose,
  randomRotate90,
  rotate,
  affine,
  shiftScaleRotate,
  perspective,
  randomScale,
  randomCrop,
  randomResizedCrop,
  boxSafeCrop,
] as const;
