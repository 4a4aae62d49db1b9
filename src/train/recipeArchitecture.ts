// The architecture that a recipe asks for, once its data set's classes are known.

import { withFields } from "../architecture/fields.ts";
import { type Architecture, VARIANTS } from "../architecture/variants.ts";
import type { Recipe } from "../recipe/schema.ts";
import { UserError } from "../util/errors.ts";

/**
 * The variant with the recipe's fields. `classes`: how many the data set has; left out, a faulty architecture can be told
 * before the data set is read. Throws a UserError that names the faulty field.
 */
export function recipeArchitecture({ model }: Recipe, classes = 0): Architecture {
  const { variant, num_classes: wanted, freeze_encoder: _, ...fields } = model;
  if (wanted !== "auto" && wanted < classes) {
    throw new UserError(`model.num_classes is ${wanted}, but the data set has ${classes} classes.`, {
      hint: "Set it to auto, or leave it out.",
    });
  }
  const base = VARIANTS[variant === "custom" ? "nano" : variant];
  const { num_queries: queries, num_select: selected } = fields;
  // more queries are of use only where as many detections are kept
  const follows = selected === undefined && queries !== undefined && queries > base.numSelect;
  return withFields(base, {
    ...fields,
    ...(follows && { num_select: queries }),
    num_classes: wanted === "auto" ? Math.max(1, classes) : wanted,
  });
}
