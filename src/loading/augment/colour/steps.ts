// The colour steps: what each draws from its settings.

import type { Rgb } from "../../../data/image/decode.ts";
import type { Rng } from "../../../util/random/rng.ts";
import { boxBlur, gaussianBlur, sharpen } from "./blur.ts";
import { clahe } from "./clahe.ts";
import { compress } from "./compression.ts";
import { cutHoles } from "./dropout.ts";
import { colourJitter, JITTERS, shiftHsv } from "./jitter.ts";
import { meanAlong, motionLine } from "./motion.ts";
import { gaussNoise } from "./noise.ts";
import type { ColourSettings, Span } from "./settings.ts";
import { brightnessContrast, equalize, gammaBytes, toGrey } from "./tables.ts";

/** A new picture of the same size, nothing moved. */
type Recolour = (image: Rgb) => Rgb;

export type ColourStep<Settings> = {
  name: string;
  /**
   * Whether it must see left and right as they will be, because a mirrored picture does not come out as the mirrored one of what it makes
   * of the picture: there is a grid from the left edge, a direction, or a place drawn.
   */
  oriented: boolean;
  /** Draw what to do; null: nothing, which is `1 - p` of the time. How many numbers are drawn depends on the settings alone. */
  draw(rng: Rng, settings: Settings): Recolour | null;
};

const [ORIENTED, ANYWAY] = [{ oriented: true }, { oriented: false }];

type Named<Name extends ColourSettings["name"]> = Extract<ColourSettings, { name: Name }>;

/** All of them by their names. */
export const COLOUR_STEPS: { readonly [Name in ColourSettings["name"]]: ColourStep<Named<Name>> } = {
  random_brightness_contrast: step("random_brightness_contrast", ANYWAY, (rng, settings) => {
    const contrast = between(rng, bothWays(settings.contrast_limit));
    const brightness = between(rng, bothWays(settings.brightness_limit));
    return (image) => brightnessContrast(image, { brightness, contrast, byMax: settings.brightness_by_max });
  }),
  color_jitter: step("color_jitter", ANYWAY, (rng, { brightness, contrast, saturation, hue }) => {
    const amounts = {
      brightness: between(rng, aroundOne(brightness)),
      contrast: between(rng, aroundOne(contrast)),
      saturation: between(rng, aroundOne(saturation)),
      hue: between(rng, bothWays(hue)),
    };
    const order = rng.shuffle([...JITTERS]);
    return (image) => colourJitter(image, amounts, order);
  }),
  hue_saturation_value: step("hue_saturation_value", ANYWAY, (rng, settings) => {
    const hue = between(rng, bothWays(settings.hue_shift_limit));
    const saturation = between(rng, bothWays(settings.sat_shift_limit));
    const value = between(rng, bothWays(settings.val_shift_limit));
    return (image) => shiftHsv(image, { hue, saturation, value });
  }),
  random_gamma: step("random_gamma", ANYWAY, (rng, settings) => {
    const gamma = between(rng, from(1, settings.gamma_limit)) / 100;
    return (image) => gammaBytes(image, gamma);
  }),
  clahe: step("clahe", ORIENTED, (rng, settings) => {
    const clipLimit = between(rng, from(1, settings.clip_limit));
    const [across, down] = pair(settings.tile_grid_size);
    return (image) => clahe(image, { clipLimit, across, down });
  }),
  equalize: step("equalize", ANYWAY, () => equalize),
  to_gray: step("to_gray", ANYWAY, () => toGrey),
  sharpen: step("sharpen", ANYWAY, (rng, settings) => {
    const alpha = between(rng, settings.alpha);
    const lightness = between(rng, settings.lightness);
    return (image) => sharpen(image, { alpha, lightness });
  }),
  blur: step("blur", ANYWAY, (rng, settings) => {
    const side = oddBetween(rng, from(3, settings.blur_limit));
    return (image) => boxBlur(image, side);
  }),
  gaussian_blur: step("gaussian_blur", ANYWAY, (rng, settings) => {
    const sigma = between(rng, from(0, settings.sigma_limit));
    const side = wholeBetween(rng, from(0, settings.blur_limit));
    return (image) => gaussianBlur(image, { sigma, side });
  }),
  motion_blur: step("motion_blur", ORIENTED, (rng, settings) => {
    const side = oddBetween(rng, from(3, settings.blur_limit));
    const angle = between(rng, settings.angle_range);
    const direction = between(rng, settings.direction_range);
    const [shiftX, shiftY] = [between(rng, [-1, 1]), between(rng, [-1, 1])];
    const shift = settings.allow_shifted ? { shiftX, shiftY } : { shiftX: 0, shiftY: 0 };
    return (image) => meanAlong(image, motionLine({ side, angle, direction, ...shift }));
  }),
  gauss_noise: step("gauss_noise", ORIENTED, (rng, settings) => {
    const deviation = 255 * between(rng, settings.std_range);
    const seed = rng.int(2 ** 32);
    return (image) => gaussNoise(image, { deviation, perChannel: settings.per_channel, seed });
  }),
  image_compression: step("image_compression", ORIENTED, (rng, settings) => {
    const quality = wholeBetween(rng, settings.quality_range);
    return (image) => compress(image, quality);
  }),
  coarse_dropout: step("coarse_dropout", ORIENTED, (rng, settings) => {
    const seed = rng.int(2 ** 32);
    const [height, width] = [pair(settings.hole_height_range), pair(settings.hole_width_range)];
    return (image) =>
      cutHoles(image, { count: pair(settings.num_holes_range), height, width, fill: settings.fill, seed });
  }),
};

/** A step with its probability, whose number is drawn first; the others are drawn whether they are used or not. */
function step<Settings extends { p: number }>(
  name: string,
  { oriented }: { oriented: boolean },
  draw: (rng: Rng, settings: Settings) => Recolour,
): ColourStep<Settings> {
  return {
    name,
    oriented,
    draw(rng, settings) {
      const done = rng.uniform() < settings.p;
      const recolour = draw(rng, settings);
      return done ? recolour : null;
    },
  };
}

type Pair = readonly [low: number, high: number];

function pair(span: readonly number[]): Pair {
  return span as unknown as Pair;
}

/** A number is how far from 0 both ways. */
function bothWays(span: Span): Pair {
  return typeof span === "number" ? [-span, span] : pair(span);
}

/** A number is how far from 1 both ways, but not below 0. */
function aroundOne(span: Span): Pair {
  return typeof span === "number" ? [Math.max(1 - span, 0), 1 + span] : pair(span);
}

/** A number is the end of what begins at `low`. */
function from(low: number, span: Span): Pair {
  return typeof span === "number" ? [low, span] : pair(span);
}

function between(rng: Rng, [low, high]: readonly number[]): number {
  return low! + (high! - low!) * rng.uniform();
}

/** A whole number, both ends included. */
function wholeBetween(rng: Rng, [low, high]: readonly number[]): number {
  return low! + rng.int(high! - low! + 1);
}

/** An odd number from 3; even ends count as the next odd number. */
function oddBetween(rng: Rng, ends: Pair): number {
  const [low, high] = ends.map((end) => Math.max(end >> 1, 1)) as [number, number];
  return 2 * wholeBetween(rng, [low, Math.max(high, low)]) + 1;
}
