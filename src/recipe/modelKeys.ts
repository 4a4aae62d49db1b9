// The keys of `model`: names and meanings are those of ModelConfig in config.py of rfdetr.

import { z } from "zod";
import { count, section } from "./fields.ts";

const VARIANT_NAMES = [
  ...(["nano", "small", "medium", "large", "base", "large-deprecated"] as const),
  ...(["mini", "seg-mini"] as const),
  ...(["seg-preview", "seg-nano", "seg-small", "seg-medium", "seg-large", "seg-xlarge", "seg-2xlarge"] as const),
  "custom",
] as const;

/** Fields that make up an architecture. A published variant has a value for each; one that is given here replaces it. */
const architecture = {
  encoder: z
    .union([
      z.strictObject({
        hidden_size: count().describe("Width of the vision transformer"),
        num_attention_heads: count().describe("Attention heads of a block; must divide hidden_size"),
        num_hidden_layers: count().describe("Number of blocks"),
        mlp_ratio: z.number().positive().default(4).describe("Width of a block's MLP over hidden_size"),
      }),
      z.enum(["dinov2_windowed_small", "dinov2_windowed_base"]),
    ])
    .optional()
    .describe("The DINOv2 encoder: its size, or a name of the reference"),
  resolution: count()
    .optional()
    .describe("Side of the square input, in pixels; a multiple of patch_size * num_windows"),
  patch_size: count().optional().describe("Side of a patch, in pixels"),
  num_windows: count().optional().describe("Attention windows a side"),
  positional_encoding_size: count().optional().describe("Side of the table of position embeddings, in patches"),
  out_feature_indexes: z
    .array(count())
    .min(1)
    .optional()
    .describe("Counts of blocks (from 1) after which a feature map is taken"),
  projector_scale: z
    .array(z.enum(["P3", "P4", "P5", "P6"]))
    .min(1)
    .optional()
    .describe("Levels of the feature pyramid that the decoder attends to"),
  hidden_dim: count(2).optional().describe("Width of the decoder"),
  dec_layers: count().optional().describe("Number of decoder layers"),
  sa_nheads: count().optional().describe("Heads of the decoder's self-attention"),
  ca_nheads: count().optional().describe("Heads of the decoder's deformable attention"),
  dec_n_points: count().optional().describe("Sampling points a head and level of the deformable attention"),
  dim_feedforward: count().optional().describe("Width of a decoder layer's MLP"),
  num_queries: count()
    .optional()
    .describe(
      "Object queries a group: the most objects that an image can have; more than the weights to start from have are grown from theirs",
    ),
  num_select: count()
    .optional()
    .describe("Detections kept an image; as many as num_queries where that is more than the variant keeps"),
  group_detr: count().optional().describe("Groups of queries in training"),
  segmentation_head: z
    .boolean()
    .optional()
    .describe("Give a mask for each box, too: true for the variants seg-..., false for the others"),
};

/** The fields that the reference's ModelConfig gives no default to: a custom variant must give them. */
export const CUSTOM_NEEDS = [
  "encoder",
  "resolution",
  "patch_size",
  "num_windows",
  "positional_encoding_size",
  "out_feature_indexes",
  "projector_scale",
  "hidden_dim",
  "dec_layers",
  "sa_nheads",
  "ca_nheads",
  "dec_n_points",
] as const satisfies readonly (keyof typeof architecture)[];

export const model = section(
  {
    variant: z.enum(VARIANT_NAMES).default("nano").describe("Architecture"),
    ...architecture,
    num_classes: z
      .union([z.literal("auto"), count()])
      .default("auto")
      .describe("Number of classes; auto takes it from the data set"),
    freeze_encoder: z.boolean().default(false).describe("Keep the DINOv2 encoder's weights as they are"),
  },
  "The network. Any architecture field that is set here replaces the variant's",
);

/** Whether a model gives masks, too. */
export function givesMasks({
  variant,
  segmentation_head: head,
}: {
  variant: string;
  segmentation_head?: boolean | undefined;
}): boolean {
  return head ?? variant.startsWith("seg-");
}
