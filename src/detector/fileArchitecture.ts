// The architecture of the model in a weights file: what a recipe says, else what the file says, and what its tensors show.

import { variantOfShapes, withFields } from "../architecture/fields.ts";
import { type Architecture, VARIANTS, type VariantName } from "../architecture/variants.ts";
import type { WeightsFile } from "../checkpoint/weightsFile.ts";
import type { Recipe } from "../recipe/schema.ts";
import { UserError } from "../util/errors.ts";
import type { StateDict } from "../util/hostTensor.ts";

/**
 * The recipe's, where one is given; else what the file says of itself, else the variant that its tensors' shapes fit. Sizes that
 * can be seen in the tensors are taken from there in any case. `variant`: of published weights. Throws a UserError where nothing says it.
 */
export function architectureIn(
  { tensors, metadata }: WeightsFile,
  { path, variant, recipe }: { path: string; variant?: VariantName; recipe?: Recipe },
): Architecture {
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const seen = seenSizes(tensors);
  const said = [metadata.modelConfig, metadata.args].find((fields) => fields?.hidden_dim != null);
  if (recipe) {
    const { variant: wanted, num_classes: _, freeze_encoder: __, ...fields } = recipe.model;
    const [base, rest] = wanted === "custom" ? (["nano", said] as const) : ([wanted, {}] as const);
    return withFields(VARIANTS[base], { ...rest, ...fields, ...seen }, path);
  }
  const guess = variant ?? variantOfShapes(shapes);
  if (said) return withFields(VARIANTS[guess ?? "nano"], { ...said, ...seen }, path);
  if (!guess) {
    throw new UserError(
      `${path} says nothing of its architecture, and its weights are those of no published variant.`,
      {
        hint: "Give the recipe that it was trained with: --recipe FILE",
      },
    );
  }
  return withFields(VARIANTS[guess], seen, path);
}

/** Fields of the reference's ModelConfig that the shapes of the weights tell beyond doubt. */
function seenSizes(tensors: StateDict): Record<string, number | boolean> {
  const rows = (name: string, axis = 0) => tensors.get(name)?.shape[axis];
  const groups = [...tensors.keys()].filter((name) => /^transformer\.enc_output\.\d+\.weight$/.test(name)).length;
  const classes = rows("class_embed.bias");
  const queries = rows("query_feat.weight");
  const tokens = rows("backbone.0.encoder.encoder.embeddings.position_embeddings", 1);
  const side = tokens === undefined ? undefined : Math.sqrt(tokens - 1);
  return {
    segmentation_head: tensors.has("segmentation_head.bias"),
    ...(classes !== undefined && classes > 1 && { num_classes: classes - 1 }),
    ...(groups > 0 && { group_detr: groups }),
    ...(queries !== undefined && groups > 0 && queries % groups === 0 && { num_queries: queries / groups }),
    ...(side !== undefined && Number.isInteger(side) && { positional_encoding_size: side }),
  };
}
