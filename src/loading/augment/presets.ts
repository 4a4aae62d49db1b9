// The reference's presets by name and value (`datasets/aug_configs.py`).

import type { AugmentStep } from "./settings.ts";

export type PresetName = "default" | "conservative" | "aggressive" | "aerial" | "industrial";

/** What the reference does before the steps of any preset. */
const FIRST: AugmentStep = { name: "scale_jitter", p: 0.5 };

const flip = (name: "horizontal_flip" | "vertical_flip", p = 0.5): AugmentStep => ({ name, p });

const rotation = (limit: readonly [number, number]): AugmentStep => ({ name: "rotate", limit, fill: 0, p: 0.5 });

const light = (limit: number, p: number): AugmentStep => ({
  name: "random_brightness_contrast",
  brightness_limit: limit,
  contrast_limit: limit,
  brightness_by_max: true,
  p,
});

export const PRESETS: { readonly [Name in PresetName]: readonly AugmentStep[] } = {
  default: [FIRST, flip("horizontal_flip")],
  conservative: [FIRST, flip("horizontal_flip"), light(0.1, 0.3)],
  aggressive: [
    FIRST,
    flip("horizontal_flip"),
    flip("vertical_flip"),
    rotation([-45, 45]),
    {
      name: "affine",
      scale: [0.8, 1.2],
      translate_percent: [-0.1, 0.1],
      rotate: [-15, 15],
      shear: [-5, 5],
      keep_ratio: false,
      balanced_scale: false,
      fill: 0,
      p: 0.5,
    },
    { name: "color_jitter", brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1, p: 0.5 },
  ],
  aerial: [FIRST, flip("horizontal_flip"), flip("vertical_flip"), rotation([90, 90]), light(0.15, 0.4)],
  industrial: [
    FIRST,
    flip("horizontal_flip", 0.3),
    light(0.2, 0.5),
    { name: "gaussian_blur", blur_limit: 3, sigma_limit: [0.5, 3], p: 0.3 },
    { name: "gauss_noise", std_range: [0.01, 0.05], per_channel: true, p: 0.3 },
  ],
};
