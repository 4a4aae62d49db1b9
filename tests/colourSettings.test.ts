// What a recipe may say of colour steps is what the steps take.

import { expect, test } from "vitest";
import type { Rgb } from "../src/data/image/decode.ts";
import type { ColourSettings } from "../src/loading/augment/colour/settings.ts";
import { COLOUR_STEPS, type ColourStep } from "../src/loading/augment/colour/steps.ts";
import { colourSteps } from "../src/recipe/augment/colour.ts";
import { rngFromSeed } from "../src/util/random/rng.ts";

const image: Rgb = { data: new Uint8Array(3 * 20 * 10).fill(90), width: 20, height: 10 };
const nameOf = (schema: (typeof colourSteps)[number]) => schema.shape.name.value;
const schemaOf = (name: string) => colourSteps.find((schema) => nameOf(schema) === name)!;

test.each(colourSteps.map((schema) => [nameOf(schema), schema] as const))(
  "%s runs with its defaults",
  (name, schema) => {
    const settings: ColourSettings = schema.parse({ name });
    expect(settings.p).toBe(0.5);
    const recolour = (COLOUR_STEPS[name] as ColourStep<ColourSettings>).draw(rngFromSeed(1), { ...settings, p: 1 })!;
    expect(recolour(image).data).toHaveLength(image.data.length);
  },
);

test("every step has its keys", () => {
  expect(colourSteps.map(nameOf)).toEqual(Object.keys(COLOUR_STEPS));
});

test("numbers and ranges are taken where both have a meaning; a range whose ends are swapped is refused", () => {
  const jitter = schemaOf("color_jitter");
  for (const brightness of [0.2, [0.5, 1.5]]) expect(jitter.safeParse({ name: "color_jitter", brightness }).success).toBe(true); // biome-ignore format: one line
  for (const brightness of [-0.2, [1.5, 0.5], [1], [1, 1, 1], "0.2"])
    expect(jitter.safeParse({ name: "color_jitter", brightness }).success).toBe(false);
  expect(schemaOf("gauss_noise").safeParse({ name: "gauss_noise", std_range: 0.1 }).success).toBe(false);
  expect(schemaOf("blur").safeParse({ name: "blur", strength: 3 }).success).toBe(false);
});
