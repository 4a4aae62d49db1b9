// The type of a recipe for programs: generated with the documentation of each key, and the same as what the schema takes.

import { expect, expectTypeOf, test } from "vitest";
import type { z } from "zod";
import { recipeInputSource } from "../scripts/make-recipe-input.ts";
import type { RecipeInput } from "../src/recipe/input.ts";
import type { recipeSchema } from "../src/recipe/schema.ts";
import { textOf } from "./support/sources.ts";

test("it is current: after a change of the schema run `npx tsx scripts/make-recipe-input.ts`", () => {
  expect(textOf("src/recipe/input.ts")).toBe(recipeInputSource());
});

test("it takes what the schema takes, and nothing else", () => {
  expectTypeOf<RecipeInput>().toExtend<z.input<typeof recipeSchema>>();
  expectTypeOf<z.input<typeof recipeSchema>>().toExtend<RecipeInput>();
});

test("keys have their documentation, and their default where there is one", () => {
  const text = textOf("src/recipe/input.ts");
  expect(text).toContain(
    "    /** Learning rate of everything but the encoder @default 0.0001 */\n    lr?: number | undefined;",
  );
  const keys = text.match(/^ +[\w$]+\??: /gm) ?? [];
  expect(keys.length).toBeGreaterThan(90);
  expect(text.match(/^ +\/\*\* \S.* \*\/$/gm)).toHaveLength(keys.length);
});
