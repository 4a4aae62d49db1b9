// The recipe: every key, its type, default and meaning. This file is the reference manual; editors get a JSON schema of it.
// Names and meanings are those of ModelConfig and TrainConfig in config.py of rfdetr.

import { z } from "zod";
import { MAIN_METRIC, MASK_METRIC, PREFIXES, SUMMARY } from "../instance/metrics.ts";
import { data } from "./dataKeys.ts";
import { count, factor, orNone, path, rate, section } from "./fields.ts";
import { model } from "./modelKeys.ts";

const schedule = section(
  {
    name: z.enum(["cosine", "step", "constant"]).default("cosine").describe("Shape of the learning rate over the run"),
    warmup_epochs: rate().default(1).describe("Epochs of linear rise from 0; fractions are allowed"),
    min_factor: factor().default(0.05).describe("cosine: what is left of the learning rate at the end"),
    lr_drop: count().default(100).describe("step: the epoch from which the learning rate is a tenth"),
  },
  "Learning-rate schedule",
);

const stage = z.strictObject({
  from_epoch: count(0).describe("First epoch of the stage, from 0"),
  train: z
    .array(path())
    .min(1)
    .describe(
      "What trains: backbone, projector, decoder, heads, all, or paths such as backbone.blocks.8-11 and decoder.layers.*.norm1",
    ),
  lr_factor: z.number().positive().default(1).describe("Multiplies the learning rates of the stage"),
});

const train = section(
  {
    epochs: count().default(50).describe("Passes over the training images"),
    max_steps: count().nullable().default(null).describe("Stop after this many optimizer steps"),
    max_hours: z
      .number()
      .positive()
      .nullable()
      .default(null)
      .describe("Stop, resumable, after this many hours of the run in all"),
    grad_accum_steps: count().default(4).describe("Batches that add up to one step, as one large batch would"),
    lr: rate().default(1e-4).describe("Learning rate of everything but the encoder"),
    lr_encoder: rate().default(1.5e-4).describe("Learning rate of the encoder's last layer"),
    lr_vit_layer_decay: factor()
      .default(0.8)
      .describe("Factor on the learning rate for each encoder layer further down"),
    lr_component_decay: factor()
      .default(0.7)
      .describe("Factor on the learning rate of the decoder; squared, of the encoder"),
    weight_decay: rate().default(1e-4).describe("AdamW weight decay"),
    clip_max_norm: rate().default(0.1).describe("Largest global norm of the gradient; 0 leaves gradients as they are"),
    drop_path: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe("Stochastic depth: how likely the encoder's last block is dropped; less for those before it"),
    mask_ce_loss_coef: rate()
      .default(5)
      .describe("Segmenters: weight of the masks' cross-entropy, in the loss and in the matching"),
    mask_dice_loss_coef: rate()
      .default(5)
      .describe("Segmenters: weight of the masks' dice loss, in the loss and in the matching"),
    mask_point_sample_ratio: count()
      .default(16)
      .describe("Segmenters: cells of a mask for each random point at which it is compared"),
    missing_masks: z
      .enum(["skip", "empty"])
      .default("skip")
      .describe(
        "Segmenters: what an object without a mask in the annotations does. skip: its mask is not trained. empty: it is trained to have no pixel, as the reference does",
      ),
    schedule,
    stages: z
      .array(stage)
      .min(1)
      .nullable()
      .default(null)
      .describe(
        "Staged unfreezing: weights that a stage does not name are frozen in it; null trains all from the start",
      ),
    gradient_checkpointing: z
      .enum(["none", "backbone", "decoder", "all"])
      .default("none")
      .describe("Compute activations again in the backward pass to save memory"),
    compile: z
      .enum(["off", "graph", "xla", "auto"])
      .default("graph")
      .describe(
        "graph: record the stages of a step, and the network of an evaluation, on their first two runs with images of a size, and run them as functions of TensorFlow from the third on. The numbers are the same to the byte. xla: these functions are compiled and fused by XLA, which rounds differently and takes longer to start. auto: time a step both ways and take the quicker. off: every operation is called by itself",
      ),
    amp_dtype: z
      .enum(["none", "bf16", "auto"])
      .default("none")
      .describe(
        "bf16: matrix products and convolutions, of training and of its evaluations, in bfloat16 (8 bits, float32's range) with sums in float32, as torch.autocast has it; weights, normalisation, softmax, losses and optimizer stay in float32. Quicker on processors with AMX or AVX-512 BF16, and takes less memory. auto: time a step both ways and take bf16 where it is quicker. none: all in float32",
      ),
    ema: orNone(
      z.strictObject({
        decay: z.number().min(0).lt(1).default(0.993).describe("Share of the average that is kept at each step"),
        tau: rate().default(100).describe("Steps over which the decay rises"),
      }),
    )
      .prefault({})
      .describe("Moving average of the weights; it is what is evaluated and what is best"),
  },
  "Optimisation",
);

const evaluation = section(
  {
    every_epochs: count().default(1).describe("Evaluate on val after every so many epochs, and at the end"),
    batch_size: count()
      .nullable()
      .default(null)
      .describe("Images of one forward pass of an evaluation; null: as many as data.batch_size"),
    max_dets: count()
      .default(500)
      .describe("Detections an image that count; as many as model.num_queries where that is more and this is left out"),
    loss: z
      .boolean()
      .default(true)
      .describe("Measure the loss on val, too: val_loss and its terms in the evaluation's row"),
    run_test: z
      .boolean()
      .default(true)
      .describe(
        "Where the data set has a test split with labels: evaluate the best weights on it once, at the end of the run, and say whether precision and recall are what val promised",
      ),
  },
  "COCO evaluation",
);

const checkpoint = section(
  {
    every_epochs: count().nullable().default(1).describe("Save after every so many epochs"),
    every_steps: count().nullable().default(null).describe("Save after every so many optimizer steps, too"),
    keep_last: count().default(2).describe("How many of the newest to keep"),
    keep_best: count(0).default(3).describe("How many of the best to keep besides"),
    keep_every: count().nullable().default(10).describe("Keep one for good after every so many epochs"),
  },
  "Checkpoints",
);

const track = section(
  {
    every_steps: count().default(10).describe("A training row in metrics.jsonl after every so many steps"),
    tensorboard: z.boolean().default(true).describe("Write TensorBoard event files"),
    gradient_histograms: z
      .boolean()
      .default(false)
      .describe("Show in TensorBoard how the gradients of each weight are distributed; reading them takes time"),
    wandb: orNone(
      z.strictObject({
        project: path().describe("W&B project"),
        entity: path().nullable().default(null).describe("W&B user or team"),
        mode: z.enum(["online", "offline"]).default("online").describe("offline records for a later sync"),
      }),
    )
      .default("none")
      .describe("Weights & Biases"),
  },
  "What is recorded",
);

/** Names of metrics that can choose the best checkpoint. */
const METRIC = new RegExp(`^(${[...SUMMARY, ...PREFIXES.map((prefix) => `${prefix}AP:.+`)].join("|")})$`);

const metric = () => z.string().regex(METRIC, `${SUMMARY.join(", ")}, or AP:NAME for the ${MAIN_METRIC} of one class`);

const choice = section(
  {
    metric: metric()
      .nullable()
      .default(null)
      .describe(
        `Metric of val by which a checkpoint is the best: ${SUMMARY.join(", ")}, or AP:class; null: that of early_stopping, else ${MAIN_METRIC}, of a segmenter ${MASK_METRIC}`,
      ),
    skip_best_epochs: count(0)
      .default(0)
      .describe("The first so many epochs give no best checkpoint, and early stopping does not count them"),
    thresholds: section(
      {
        by: z
          .enum(["best-f1", "precision", "recall"])
          .default("best-f1")
          .describe(
            "best-f1: where precision and recall are balanced best. precision: the lowest score from which so large a share of the detections is right. recall: the highest from which so large a share of the objects is found",
          ),
        at: z.number().gt(0).max(1).default(0.9).describe("The precision or recall that is asked for"),
      },
      "The score from which detections count, chosen on val for all classes and for each; it goes into checkpoints and exported files",
    ),
  },
  "Which checkpoint is the best, and which detections count",
);

/** A recipe as a person writes it. `name` and `weights` have defaults that depend on the rest; see load.ts. */
export const recipeSchema = z.strictObject({
  $schema: z.string().optional().describe("Where an editor finds the schema of recipes; a run does not look at it"),
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?$/,
      "a name of letters, digits, dots, dashes and underscores",
    )
    .optional()
    .describe("Name of the run and of its folder under checkpoints/; default: the recipe file's name"),
  seed: z.int().min(0).max(0xffffffff).default(7).describe("Seed of everything that is random"),
  device: z.enum(["auto", "cpu", "gpu"]).default("auto").describe("gpu fails where there is none"),
  model,
  weights: path()
    .optional()
    .describe(
      "Weights to start from: a published name such as rf-detr-nano, a path, or none; default: the variant's own",
    ),
  heads: z
    .enum(["keep-first", "transplant"])
    .default("keep-first")
    .describe(
      "Class rows of the weights to start from: keep-first takes them in their order whatever they stand for, as the reference does; transplant gives each class the row of the class of its name, and new classes start from scratch",
    ),
  data,
  train,
  eval: evaluation,
  selection: choice,
  early_stopping: orNone(
    z.strictObject({
      metric: metric()
        .default(MAIN_METRIC)
        .describe(
          `What must improve on val, and chooses the best checkpoint: ${SUMMARY.join(", ")}, or AP:class. It is selection.metric where that is set`,
        ),
      patience: count().default(10).describe("Evaluations without improvement until the run stops"),
      min_delta: rate().default(0.001).describe("Only a rise of more than this is an improvement"),
    }),
  )
    .default("none")
    .describe("Stop when a metric of the evaluated weights no longer improves"),
  checkpoint,
  track,
  export: section(
    { onnx: z.boolean().default(true).describe("Write model.onnx at the end, verified on validation images") },
    "Export after training",
  ),
});

/** A resolved recipe: defaults filled in. Architecture fields that were not set are absent: the variant has them. */
export type Recipe = Omit<z.output<typeof recipeSchema>, "$schema"> & { name: string; weights: string };
