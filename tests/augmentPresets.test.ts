// The presets are what a recipe makes of the reference's values; the loader's steps and the recipe's are the same.

import { expect, test } from "vitest";
import { PRESETS } from "../src/loading/augment/presets.ts";
import type { RecipeInput } from "../src/recipe/input.ts";
import { resolveRecipe } from "../src/recipe/load.ts";

type Steps = Extract<NonNullable<NonNullable<RecipeInput["data"]>["augment"]>, readonly unknown[]>;

const JITTER = { name: "scale_jitter" } as const;

/** `datasets/aug_configs.py`, after the resizing that the reference puts before them. */
const REFERENCE: Record<keyof typeof PRESETS, Steps> = {
  default: [JITTER, { name: "horizontal_flip", p: 0.5 }],
  conservative: [
    JITTER,
    { name: "horizontal_flip", p: 0.5 },
    { name: "random_brightness_contrast", brightness_limit: 0.1, contrast_limit: 0.1, p: 0.3 },
  ],
  aggressive: [
    JITTER,
    { name: "horizontal_flip", p: 0.5 },
    { name: "vertical_flip", p: 0.5 },
    { name: "rotate", limit: [-45, 45], p: 0.5 },
    {
      name: "affine",
      scale: [0.8, 1.2],
      translate_percent: [-0.1, 0.1],
      rotate: [-15, 15],
      shear: [-5, 5],
      p: 0.5,
    },
    { name: "color_jitter", brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1, p: 0.5 },
  ],
  aerial: [
    JITTER,
    { name: "horizontal_flip", p: 0.5 },
    { name: "vertical_flip", p: 0.5 },
    { name: "rotate", limit: [90, 90], p: 0.5 },
    { name: "random_brightness_contrast", brightness_limit: 0.15, contrast_limit: 0.15, p: 0.4 },
  ],
  industrial: [
    JITTER,
    { name: "horizontal_flip", p: 0.3 },
    { name: "random_brightness_contrast", brightness_limit: 0.2, contrast_limit: 0.2, p: 0.5 },
    { name: "gaussian_blur", blur_limit: 3, p: 0.3 },
    { name: "gauss_noise", std_range: [0.01, 0.05], p: 0.3 },
  ],
};

test.each(Object.entries(REFERENCE))("the preset %s is the reference's", (name, augment) => {
  const { data } = resolveRecipe({ name: "a", data: { dir: "d", augment } });
  expect(data.augment).toEqual(PRESETS[name as keyof typeof PRESETS]);
});

test("a step that a recipe gets wrong is named, with what it may be", () => {
  const fault = (augment: unknown) => {
    try {
      resolveRecipe({ name: "a", data: { dir: "d", augment } } as RecipeInput);
    } catch (error) {
      return (error as Error).message;
    }
    return expect.unreachable();
  };
  expect(fault([{ name: "rotat" }])).toMatch(
    /data\.augment\[0\]\.name is "rotat", which there is not\. Did you mean rotate\? Known: scale_jitter, .*perspective.*clahe/,
  );
  expect(fault([{ name: "equalize" }, { limit: 15 }])).toMatch(/data\.augment\[1\]\.name is missing\. Known: scale_/);
  expect(fault([{ name: "rotate", angle: 5 }])).toBe(
    "Recipe: unknown key data.augment[0].angle. Keys of data.augment[0]: name, limit, fill, p.",
  );
  expect(fault([{ name: "affine", scael: 5 }])).toContain("data.augment[0].scael. Did you mean scale?");
  expect(fault([{ name: "rotate", limit: [5, 1] }])).toContain("a list of two numbers, the smaller one first");
  expect(fault([{ name: "rotate", p: 2 }])).toContain("data.augment[0].p is 2, but must be a number of at least 0");
  expect(fault(["rotate"])).toContain("data.augment[0]");
  expect(fault("strong")).toMatch(/data\.augment is "strong", but must be .*aggressive/);
});
