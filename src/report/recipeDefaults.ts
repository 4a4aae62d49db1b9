// The recipe of a run as it would be if nothing had been given but the variant, to tell what was given.

import { resolveRecipe, usualWeights } from "../recipe/load.ts";
import { openRunFolder } from "../run/runFolder.ts";

/** Undefined where the recipe is none of this version. Keys without a default are not there. Throws a UserError where the folder is no run. */
export async function recipeDefaults(dir: string): Promise<Record<string, unknown> | undefined> {
  const folder = await openRunFolder(dir);
  const given = await folder.resolvedRecipe().catch(() => undefined); // an older one still has a page
  if (!given) return undefined;
  const { variant } = given.model;
  const { name: _, data, ...rest } = resolveRecipe({ data: { dir: "." } });
  const { dir: __, ...dataDefaults } = data;
  return { ...rest, weights: usualWeights(variant), data: dataDefaults };
}
