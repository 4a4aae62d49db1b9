// `data.augment`: none, a preset, the keys of the default one, or a list of steps.

import { z } from "zod";
import { factor } from "../fields.ts";
import { colourSteps } from "./colour.ts";
import { geometrySteps } from "./geometry.ts";
import { manySteps } from "./many.ts";

const ofDefault = z.strictObject({
  horizontal_flip: factor().default(0.5).describe("Probability of a left-right flip"),
  scale_jitter: z
    .boolean()
    .default(true)
    .describe("Half of the time: resize to a short side of 400, 500 or 600, then cut a square out"),
});

const preset = z.enum(["default", "conservative", "aggressive", "aerial", "industrial"]);

const MOST_STEPS = 50;

const steps = z.array(z.discriminatedUnion("name", [...geometrySteps, ...manySteps, ...colourSteps])).max(MOST_STEPS);

export const augment = z
  .union([ofDefault, z.literal("none"), preset, steps])
  .prefault({})
  .describe(
    "Random changes to training images: the two keys, a preset of the reference, or a list of steps such as { name: rotate, limit: 15, p: 0.5 }, done in their order (docs/augmentation.md)",
  );
