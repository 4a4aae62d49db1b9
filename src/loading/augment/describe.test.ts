import { expect, test } from "vitest";
import { alone } from "./alone.ts";
import type { Augment } from "./augment.ts";
import { describeAugment } from "./describe.ts";

const said = (augment: Augment | "none", mildEpochs = 0) => describeAugment(augment, { mildEpochs }).value;

test("a run says which augmentations are on, how likely, and until when", () => {
  expect(said("none")).toBe("none");
  expect(said([])).toBe("none");
  expect(said({ horizontal_flip: 0, scale_jitter: false })).toBe("none");
  expect(said({ horizontal_flip: 0.5, scale_jitter: true }, 3)).toBe("scale_jitter (0.5), horizontal_flip (0.5)");
  expect(said("aerial", 5)).toBe(
    "aerial: scale_jitter (0.5), horizontal_flip (0.5), vertical_flip (0.5), rotate (0.5), random_brightness_contrast (0.4); the last 5 epochs are without rotate",
  );
  expect(said([{ name: "rotate", limit: 3, fill: 0, p: 1 }], 1)).toBe("rotate; the last epoch is without rotate");
});

test("each is shown by itself, done to every picture", () => {
  expect(alone({ horizontal_flip: 0, scale_jitter: true })).toEqual([
    { name: "scale_jitter", augment: [{ name: "scale_jitter", p: 1 }] },
  ]);
  const twice = [0.1, 0.2].map((p) => ({ name: "horizontal_flip", p }) as const);
  expect(alone(twice).map(({ name }) => name)).toEqual(["horizontal_flip", "horizontal_flip-2"]);
});
