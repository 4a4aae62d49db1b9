import { describe, expect, test } from "vitest";
import type { Rgb } from "../../../data/image/decode.ts";
import { type Rng, rngFromSeed } from "../../../util/random/rng.ts";
import type { ColourSettings } from "./settings.ts";
import { COLOUR_STEPS, type ColourStep } from "./steps.ts";

/** Every step, strong enough to be seen on a small picture. */
const ALL: ColourSettings[] = [
  { name: "random_brightness_contrast", p: 1, brightness_limit: 0.2, contrast_limit: [0.1, 0.2], brightness_by_max: true },
  { name: "color_jitter", p: 1, brightness: 0.2, contrast: 0.2, saturation: [0.2, 0.5], hue: 0.3 },
  { name: "hue_saturation_value", p: 1, hue_shift_limit: [20, 40], sat_shift_limit: 30, val_shift_limit: 20 },
  { name: "random_gamma", p: 1, gamma_limit: [150, 200] },
  { name: "clahe", p: 1, clip_limit: 4, tile_grid_size: [3, 2] },
  { name: "equalize", p: 1 },
  { name: "to_gray", p: 1 },
  { name: "sharpen", p: 1, alpha: [0.2, 0.5], lightness: [0.5, 1] },
  { name: "blur", p: 1, blur_limit: 7 },
  { name: "gaussian_blur", p: 1, blur_limit: 0, sigma_limit: [0.8, 3] },
  { name: "motion_blur", p: 1, blur_limit: [5, 9], allow_shifted: true, angle_range: [0, 80], direction_range: [0.2, 1] },
  { name: "gauss_noise", p: 1, std_range: [0.1, 0.2], per_channel: false },
  { name: "image_compression", p: 1, quality_range: [5, 30] },
  { name: "coarse_dropout", p: 1, num_holes_range: [2, 5], hole_height_range: [0.2, 0.4], hole_width_range: [0.2, 0.4], fill: "random" },
]; // biome-ignore format: one line each

/** Draws as the step that settings name. */
function draw(rng: Rng, settings: ColourSettings) {
  return (COLOUR_STEPS[settings.name] as ColourStep<ColourSettings>).draw(rng, settings);
}

function picture(width: number, height: number): Rgb {
  const rng = rngFromSeed(width, height);
  return { data: Uint8Array.from({ length: 3 * width * height }, () => rng.int(256)), width, height };
}

function mirrored({ data, width, height }: Rgb): Rgb {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      out.set(data.subarray(3 * (y * width + x), 3 * (y * width + x + 1)), 3 * ((y + 1) * width - 1 - x));
  return { data: out, width, height };
}

/** A stream that counts what is drawn. */
function counting(seed: number): { rng: Rng; drawn: () => number } {
  const rng = rngFromSeed(seed);
  let drawn = 0;
  const uniform = () => {
    drawn++;
    return rng.uniform();
  };
  const int = (n: number) => Math.floor(uniform() * n);
  const shuffle = <T>(items: T[]) => {
    for (let i = items.length - 1; i > 0; i--) int(i + 1);
    return items;
  };
  return { rng: { uniform, int, normal: rng.normal, shuffle }, drawn: () => drawn };
}

test("there is a step of each name", () => {
  expect(ALL.map(({ name }) => name)).toEqual(Object.keys(COLOUR_STEPS));
  expect(Object.entries(COLOUR_STEPS).map(([name, step]) => [name, step.name])).toEqual(
    Object.keys(COLOUR_STEPS).map((name) => [name, name]),
  );
});

describe.each(ALL)("$name", (settings) => {
  test("changes colours, and neither the size nor the picture it is given, in the same way for the same seed", () => {
    for (const [width, height] of [[37, 23], [8, 40], [5, 1], [1, 3]] as const) {
      const image = picture(width, height);
      const before = image.data.slice();
      const [one, again] = [draw(rngFromSeed(5), settings)!(image), draw(rngFromSeed(5), settings)!(image)];
      expect(image.data).toEqual(before);
      expect([one.width, one.height, one.data.length]).toEqual([width, height, before.length]);
      expect(again.data).toEqual(one.data);
      if (width * height > 100) expect(one.data).not.toEqual(before);
    }
  }); // biome-ignore format: one line

  test("is done with its probability, and draws as many numbers either way", () => {
    let done = 0;
    const counts = new Set<number>();
    for (let seed = 0; seed < 400; seed++) {
      const { rng, drawn } = counting(seed);
      if (draw(rng, { ...settings, p: 0.3 })) done++;
      counts.add(drawn());
    }
    expect(counts.size).toBe(1);
    expect(done).toBeGreaterThan(80);
    expect(done).toBeLessThan(160);
    expect(draw(rngFromSeed(1), { ...settings, p: 0 })).toBeNull();
  });

  test("gives the mirrored picture for a mirrored one, unless it says that it must see the right way round", () => {
    const image = picture(37, 23);
    const recolour = draw(rngFromSeed(8), settings)!;
    const same = Buffer.compare(recolour(mirrored(image)).data, mirrored(recolour(image)).data) === 0;
    expect(same).toBe(!COLOUR_STEPS[settings.name].oriented);
  });
});

test("a number alone stands for the range that Albumentations makes of it", () => {
  const image: Rgb = { data: Uint8Array.of(100, 100, 100), width: 1, height: 1 };
  const reached = (settings: ColourSettings) => {
    const values = Array.from({ length: 500 }, (_, seed) => draw(rngFromSeed(seed), settings)!(image).data[0]!);
    return [Math.min(...values), Math.max(...values)];
  };
  const jitter = { name: "color_jitter", p: 1, contrast: 0, saturation: 0, hue: 0 } as const;
  expect(reached({ ...jitter, brightness: 0.2 })).toEqual([80, 119]);
  expect(reached({ ...jitter, brightness: 1.5 })).toEqual([0, 249]);
  expect(reached({ name: "random_gamma", p: 1, gamma_limit: 100 })[0]).toBe(100);
});

test("holes are shares of the picture or pixels, as many as are asked for, of one colour each", () => {
  const white: Rgb = { data: new Uint8Array(3 * 100 * 50).fill(255), width: 100, height: 50 };
  const settings = { name: "coarse_dropout", p: 1, num_holes_range: [1, 1], fill: 7 } as const;
  const sizes = (height: number[], width: number[]) => {
    const cut = draw(rngFromSeed(3), { ...settings, hole_height_range: height, hole_width_range: width })!(white);
    const filled = [...cut.data.entries()].filter(([, v]) => v === 7).map(([at]) => Math.floor(at / 3));
    return [new Set(filled.map((at) => Math.floor(at / 100))).size, new Set(filled.map((at) => at % 100)).size];
  };
  expect(sizes([0.2, 0.2], [0.3, 0.3])).toEqual([10, 30]);
  expect(sizes([12, 12], [9, 9])).toEqual([12, 9]);
  expect(sizes([80, 90], [200, 300])).toEqual([50, 100]);
});
