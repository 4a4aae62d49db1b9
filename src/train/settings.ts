// What learner and step need to know of a recipe.

import type { Architecture } from "../architecture/variants.ts";
import { createRecorder, type Recorder } from "../engine/recording/recorder.ts";
import { seededDraws } from "../loss/masks/draws.ts";
import type { MaskLossSettings } from "../loss/masks/settings.ts";
import type { Recipe } from "../recipe/schema.ts";
import { blockRates } from "../step/dropPath.ts";
import type { LearnerSettings } from "../step/learner.ts";
import type { MaskSettings, StepSettings } from "../step/step.ts";

/** `trains`: paths of the leaves that train at first. */
export function learnerSettings({ train, model }: Recipe, trains: ReadonlySet<string>): LearnerSettings {
  return {
    lr: train.lr,
    lrEncoder: train.lr_encoder,
    lrVitLayerDecay: train.lr_vit_layer_decay,
    lrComponentDecay: train.lr_component_decay,
    weightDecay: train.weight_decay,
    freezeEncoder: model.freeze_encoder,
    trains,
    average: train.ema !== "none",
  };
}

/** What records the stages of the steps; an `auto` that was not timed is `graph`. */
export function recorderOf({ train: { compile } }: Pick<Recipe, "train">): Recorder | undefined {
  return compile === "off" ? undefined : createRecorder({ xla: compile === "xla" });
}

export function stepSettings({ train, track, seed }: Recipe, architecture: Architecture): StepSettings {
  return {
    clipMaxNorm: train.clip_max_norm,
    ema: train.ema === "none" ? null : train.ema,
    accumulation: "whole",
    checkpointing: train.gradient_checkpointing,
    precision: train.amp_dtype === "bf16" ? "bf16" : "none", // an `auto` that was not timed
    dropPath: train.drop_path > 0 ? { rates: blockRates(train.drop_path, architecture), seed } : undefined,
    masks: architecture.segmentationHead ? maskSettings(train, seed) : undefined,
    histogramsEvery: track.gradient_histograms ? track.every_steps : undefined,
  };
}

/** What a segmenter's masks are trained with; which points are drawn follows from the seed, the step and the batch. */
function maskSettings(train: Recipe["train"], seed: number): MaskSettings {
  return { settings: maskLosses(train), drawsOf: (step, place) => seededDraws(seed, step, place) };
}

export function maskLosses(train: Recipe["train"]): MaskLossSettings {
  return {
    ceCoef: train.mask_ce_loss_coef,
    diceCoef: train.mask_dice_loss_coef,
    pointRatio: train.mask_point_sample_ratio,
    missing: train.missing_masks,
  };
}

/** Images of one forward pass. */
export function batchSize(recipe: Recipe): number {
  const { batch_size: size } = recipe.data;
  if (size === "auto") throw new Error("data.batch_size: auto has not been resolved"); // see auto/batchSize.ts
  return size;
}
