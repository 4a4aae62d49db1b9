// What learner and step need to know of a recipe.

import type { Architecture } from "../architecture/variants.ts";
import { createRecorder, type Recorder } from "../engine/recording/recorder.ts";
import type { Recipe } from "../recipe/schema.ts";
import { blockRates } from "../step/dropPath.ts";
import type { LearnerSettings } from "../step/learner.ts";
import type { StepSettings } from "../step/step.ts";

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
    histogramsEvery: track.gradient_histograms ? track.every_steps : undefined,
  };
}
