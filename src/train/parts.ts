// The parts of a run, made from its recipe: device, data, model with its weights, schedule.

import * as tf from "@tensorflow/tfjs-core";
import { toText } from "../checkpoint/weightsFile.ts";
import { datasetFingerprint, datasetSummary, loadDataset } from "../data/dataset.ts";
import { createLoader, type Loader } from "../data/loader.ts";
import type { ClassEntry, Split } from "../data/sample.ts";
import { selectDevice } from "../engine/device.ts";
import { toFields, withFields } from "../model/architecture.ts";
import { type Architecture, VARIANTS } from "../model/variants.ts";
import type { Recipe } from "../recipe/schema.ts";
import { describeEnvironment, type Environment } from "../track/environment.ts";
import { UserError } from "../util/errors.ts";
import type { StateDict } from "../util/hostTensor.ts";
import { flatten } from "../util/tree.ts";
import type { RunSize, TrainEvent } from "./events.ts";
import { createLearner, disposeLearner, type Learner } from "./learner.ts";
import { multiScaleSides } from "./multiScale.ts";
import type { Schedule } from "./schedule.ts";
import { startingWeights } from "./startingWeights.ts";
import type { StepSettings } from "./step.ts";

export type Parts = {
  learner: Learner;
  trainLoader: Loader;
  valLoader: Loader;
  valSplit: Split;
  classes: ClassEntry[];
  schedule: Schedule;
  stepSettings: StepSettings;
  size: RunSize;
  /** Lines for people. */
  facts: string[];
  environment: Environment;
  /** Text metadata of the weights files of a checkpoint. */
  metadata(at: { epoch: number; step: number }): Record<string, string>;
};

export type AssembleOptions = {
  overfit: number | null;
  /** Weights in place of the recipe's: those of a checkpoint. */
  model?: StateDict;
  onEvent?: (event: TrainEvent) => void;
  /** Ends a download. */
  signal?: AbortSignal | undefined;
};

/** Make everything that a run needs; nothing is written. Throws a UserError that says what in recipe or data is wrong. */
export async function assemble(recipe: Recipe, { overfit, model, onEvent, signal }: AssembleOptions): Promise<Parts> {
  const { variant, num_classes: wanted, freeze_encoder: freezeEncoder, ...fields } = recipe.model;
  const base = VARIANTS[variant === "custom" ? "nano" : variant];
  withFields(base, fields); // a faulty architecture is told before the data set is read
  const dataset = await loadDataset(recipe.data);
  const { classes } = dataset;
  if (wanted !== "auto" && wanted < classes.length) {
    throw new UserError(`model.num_classes is ${wanted}, but the data set has ${classes.length} classes.`, {
      hint: "Set it to auto, or leave it out.",
    });
  }
  const numClasses = wanted === "auto" ? Math.max(1, classes.length) : wanted;
  const architecture = withFields(base, { ...fields, num_classes: numClasses });
  const device = selectDevice(recipe.device);
  const watch = {
    onProgress: (received: number, total: number | undefined) =>
      onEvent?.({ type: "download", name: recipe.weights, received, total }),
    onRetry: (reason: string) => onEvent?.({ type: "retry", name: recipe.weights, reason }),
    ...(signal && { signal }),
  };
  const start = model
    ? { tensors: model, fact: "Weights: from the run's last checkpoint" }
    : await startingWeights(recipe.weights, architecture, recipe.seed, watch);

  const sides = multiScaleSides(architecture);
  const { multi_scale: multiScale } = recipe.data;
  const { lr, lr_encoder, lr_vit_layer_decay, lr_component_decay, weight_decay, ema, ...rest } = recipe.train;
  const learner = createLearner(start.tensors, architecture, {
    lr,
    lrEncoder: lr_encoder,
    lrVitLayerDecay: lr_vit_layer_decay,
    lrComponentDecay: lr_component_decay,
    weightDecay: weight_decay,
    freezeEncoder,
    average: ema !== "none",
  });
  const splits = chooseSplits(dataset.splits.train!, dataset.splits.val!, overfit);
  const { train: trainLoader, val: valLoader } = loaders(recipe, architecture, splits, overfit !== null);
  const stepsPerEpoch = Math.ceil(trainLoader.batches / rest.grad_accum_steps);
  const steps = rest.epochs * stepsPerEpoch;
  const summary = datasetSummary(dataset);
  const used = `${device.kind === "gpu" ? "GPU" : "CPU"} (${device.name}), libtensorflow ${device.tensorflow}`;
  return {
    learner,
    trainLoader,
    valLoader,
    valSplit: splits.val,
    classes,
    schedule: {
      name: rest.schedule.name,
      warmupEpochs: rest.schedule.warmup_epochs,
      minFactor: rest.schedule.min_factor,
      lrDrop: rest.schedule.lr_drop,
    },
    stepSettings: {
      clipMaxNorm: rest.clip_max_norm,
      ema: ema === "none" ? null : ema,
      accumulation: "whole",
      checkpointing: rest.gradient_checkpointing,
    },
    size: {
      epochs: rest.epochs,
      stepsPerEpoch,
      totalSteps: Math.min(steps, rest.max_steps ?? steps),
      stepsDone: 0,
      imagesPerStep: batchSize(recipe) * rest.grad_accum_steps,
    },
    facts: [
      ...summary,
      ...(overfit === null ? [] : [`Only the first ${overfit} training images are used, for training and evaluation`]),
      start.fact,
      ...describeModel(recipe, architecture, learner),
      ...(multiScale === "off"
        ? []
        : [
            `Multi-scale: ${describeSides(sides)}, drawn ${multiScale === "per-batch" ? "for each update" : "for each image"}`,
          ]),
      `Device: ${used}`,
      ...(device.warning ? [device.warning] : []),
    ],
    environment: await describeEnvironment(
      { tfjs: tf.version_core, libtensorflow: device.tensorflow, device: device.kind === "gpu" ? device.name : "cpu" },
      { fingerprint: await datasetFingerprint(dataset) },
    ),
    metadata: ({ epoch, step }) =>
      toText({
        modelConfig: toFields(architecture) as Record<string, string>,
        classNames: classes.map(({ name }) => name),
        categoryIds: classes.map(({ categoryId }) => categoryId),
        epoch,
        extra: { step: String(step), run: recipe.name },
      }),
  };
}

/** What is trained, and how: lines for people. */
function describeModel({ model, train, data }: Recipe, { resolution }: Architecture, { weights }: Learner): string[] {
  const leaves = flatten<tf.Tensor>(weights).map(([, leaf]) => leaf);
  const count = (tensors: tf.Tensor[]) => tensors.reduce((sum, tensor) => sum + tensor.size, 0);
  const millions = (n: number) => `${(n / 1e6).toFixed(2)} M`;
  const all = count(leaves);
  const trains = count(leaves.filter((leaf) => leaf instanceof tf.Variable));
  const share = trains === all ? "all of them train" : `${millions(trains)} train, the encoder is frozen`;
  const { grad_accum_steps: accumulated, schedule } = train;
  const images = `${data.batch_size}${accumulated > 1 ? ` x ${accumulated} accumulated` : ""} images an update`;
  return [
    `Model: ${model.variant} at ${resolution} x ${resolution}, ${millions(all)} parameters, ${share}`,
    `Optimizer: AdamW, ${images}, learning rates ${train.lr} and ${train.lr_encoder} (encoder), ${schedule.name} schedule`,
  ];
}

function describeSides(sides: number[]): string {
  return `${sides.length} sizes from ${sides[0]} to ${sides.at(-1)} pixels`;
}

/** End the threads and free the tensors. */
export async function closeParts({ learner, trainLoader, valLoader }: Parts): Promise<void> {
  await Promise.all([trainLoader.close(), valLoader.close()]);
  disposeLearner(learner);
}

function chooseSplits(train: Split, val: Split, overfit: number | null): { train: Split; val: Split } {
  if (overfit === null) return { train, val };
  const labelled = train.samples.filter(({ annotations }) => annotations.some(({ crowd }) => !crowd));
  if (overfit > labelled.length) {
    throw new UserError(`--overfit is ${overfit}, but only ${labelled.length} training images have boxes.`);
  }
  const few = { ...train, samples: labelled.slice(0, overfit) };
  return { train: few, val: few };
}

function loaders(
  recipe: Recipe,
  architecture: Architecture,
  splits: { train: Split; val: Split },
  overfit: boolean,
): { train: Loader; val: Loader } {
  const { augment, workers, shuffle, multi_scale: multiScale } = recipe.data;
  const { resolution } = architecture;
  const sides = multiScaleSides(architecture);
  const common = { batchSize: batchSize(recipe), resolution, workers, seed: recipe.seed };
  const changes =
    augment === "none" || overfit
      ? null
      : { horizontalFlip: augment.horizontal_flip, scaleJitter: augment.scale_jitter };
  const gradAccumSteps = recipe.train.grad_accum_steps;
  return {
    train: createLoader({
      ...{ ...common, split: splits.train, augment: changes, training: true, gradAccumSteps },
      // the device resizes batches of the largest side, as the reference does
      ...(multiScale === "per-batch" && { resolution: sides.at(-1)! }),
      ...(multiScale === "per-sample" && { sides }),
      shuffle: shuffle && !overfit, // in turn, each of the few images is seen equally often
    }),
    val: createLoader({ ...common, split: splits.val, augment: null, training: false }),
  };
}

function batchSize(recipe: Recipe): number {
  const { batch_size: size } = recipe.data;
  if (size === "auto") throw new UserError("data.batch_size: auto is not supported yet.", { hint: "Give a number." });
  return size;
}
