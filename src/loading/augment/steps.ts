// All steps by their names: those that move something, and those of colours.

import type { Rng } from "../../util/random/rng.ts";
import type { ColourSettings } from "./colour/settings.ts";
import { COLOUR_STEPS, type ColourStep } from "./colour/steps.ts";
import { boxSafeCrop, randomCrop, randomResizedCrop, randomScale, scaleJitter } from "./geometry/crops.ts";
import { horizontalFlip, quarterTurns, transposition, verticalFlip } from "./geometry/flips.ts";
import { affineStep, perspective, rotate, shiftScaleRotate } from "./geometry/warps.ts";
import type { AugmentStep, GeometrySettings, ManySettings, SettingsOf } from "./settings.ts";
import type { Change, GeometryStep, SeenBoxes, Size } from "./step.ts";

const GEOMETRY_STEPS: { readonly [Name in GeometrySettings["name"]]: GeometryStep<SettingsOf<Name>> } = {
  scale_jitter: scaleJitter,
  horizontal_flip: horizontalFlip,
  vertical_flip: verticalFlip,
  transpose: transposition,
  random_rotate90: quarterTurns,
  rotate,
  affine: affineStep,
  shift_scale_rotate: shiftScaleRotate,
  perspective,
  random_scale: randomScale,
  random_crop: randomCrop,
  random_resized_crop: randomResizedCrop,
  random_sized_bbox_safe_crop: boxSafeCrop,
};

/** Whether a step turns, shears or tilts, so that a box is no longer one. */
export function isWarp({ name }: AugmentStep): boolean {
  return name === "rotate" || name === "affine" || name === "shift_scale_rotate" || name === "perspective";
}

/** Whether a step is left out of the last epochs (`data.close_augment_epochs`): pictures look like none that there is, a part of them being empty, or of another one. */
export function isStrong(step: AugmentStep): boolean {
  return isWarp(step) || isMany(step) || step.name === "coarse_dropout";
}

/** What a step works on where it comes first: see `GeometryStep`. */
export function worksOn(settings: AugmentStep): "file" | "square" | "either" {
  if (settings.name === "mosaic") return "file";
  return isGeometry(settings) ? GEOMETRY_STEPS[settings.name].on : "square";
}

/** Draw what a step does to an image of this size; null: nothing. */
export function drawStep(
  rng: Rng,
  settings: Exclude<AugmentStep, ManySettings>,
  { size, seen }: { size: Size; seen: () => SeenBoxes },
): Change | null {
  if (isGeometry(settings)) {
    // the table has the step of the settings' own name
    const step = GEOMETRY_STEPS[settings.name] as GeometryStep<GeometrySettings>;
    return step.draw(rng, size, settings, seen);
  }
  const step = COLOUR_STEPS[settings.name] as ColourStep<ColourSettings>;
  const recolour = step.draw(rng, settings);
  return recolour && { recolour, oriented: step.oriented };
}

/** Whether a step takes other pictures, too. */
export function isMany(step: AugmentStep): step is ManySettings {
  return step.name === "mosaic" || step.name === "mixup" || step.name === "copy_paste";
}

function isGeometry(settings: AugmentStep): settings is GeometrySettings {
  return Object.hasOwn(GEOMETRY_STEPS, settings.name);
}
