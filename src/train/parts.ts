// The parts of a run, made from its recipe: device, data, model with its weights, schedule.

import * as tf from "@tensorflow/tfjs-core";
import { toFields } from "../architecture/fields.ts";
import type { Architecture } from "../architecture/variants.ts";
import { leafShapes } from "../architecture/weights/table.ts";
import { toText } from "../checkpoint/weightsFile.ts";
import { evaluationLoader } from "../data/batch/evaluationLoader.ts";
import { createLoader, type Loader } from "../data/batch/loader.ts";
import { describeResampling } from "../data/batch/resample.ts";
import { datasetFingerprint, datasetSummary, loadDataset } from "../data/dataset/dataset.ts";
import type { Sample, Split } from "../data/dataset/sample.ts";
import { selectDevice } from "../engine/device.ts";
import type { Recipe } from "../recipe/schema.ts";
import { describeEnvironment } from "../run/environment.ts";
import type { TrainEvent } from "../run/events.ts";
import { UserError } from "../util/errors.ts";
import type { StateDict } from "../util/hostTensor.ts";
import type { Parts } from "./liveRun.ts";
import { scheduleFrom } from "./optimiser/schedule.ts";
import { recipeArchitecture } from "./recipeArchitecture.ts";
import { requireMetric } from "./record/earlyStopping.ts";
import { learnerSettings, stepSettings } from "./settings.ts";
import { stepMeter } from "./stages/meter.ts";
import { describeStage, millions, type Stage, stageAt, stagePlan } from "./stages/stages.ts";
import { startingWeights } from "./startingWeights.ts";
import { createLearner, disposeLearner } from "./step/learner.ts";
import { type MultiScale, multiScale } from "./step/multiScale.ts";

export type AssembleOptions = {
  overfit: number | null;
  /** One batch and two validation images only. */
  dryRun?: boolean;
  /** Weights in place of the recipe's: those of a checkpoint. */
  model?: StateDict;
  /** Where the run begins or goes on, which decides on the stage. */
  epoch?: number;
  onEvent?: (event: TrainEvent) => void;
  /** Ends a download. */
  signal?: AbortSignal | undefined;
};

/** Make everything that a run needs; nothing is written. Throws a UserError that says what in recipe or data is wrong. */
export async function assemble(
  recipe: Recipe,
  { overfit, dryRun = false, model, epoch = 0, onEvent, signal }: AssembleOptions,
): Promise<Parts> {
  const { freeze_encoder: freezeEncoder } = recipe.model;
  recipeArchitecture(recipe); // a faulty one is told before the data set is read
  const dataset = await loadDataset(recipe.data);
  const { classes } = dataset;
  const architecture = recipeArchitecture(recipe, classes.length);
  const device = selectDevice(recipe.device);
  const watch = {
    onProgress: (received: number, total: number | undefined) =>
      onEvent?.({ type: "download", name: recipe.weights, received, total }),
    onRetry: (reason: string) => onEvent?.({ type: "retry", name: recipe.weights, reason }),
    ...(signal && { signal }),
  };
  const plan = stagePlan(recipe.train.stages, leafShapes(architecture), { freezeEncoder });
  const stage = stageAt(plan, epoch);
  const start = model
    ? { tensors: model, facts: ["Weights: from the run's last checkpoint"] }
    : await startingWeights(
        recipe.weights,
        architecture,
        { seed: recipe.seed, heads: recipe.heads, classNames: classes.map(({ name }) => name) },
        watch,
      );

  const scales = multiScale(overfit === null ? recipe.data.multi_scale : "off", architecture);
  const learner = createLearner(start.tensors, architecture, learnerSettings(recipe, stage.paths));
  const chosen = chooseSplits(dataset.splits.train!, dataset.splits.val!, overfit);
  requireMetric(recipe, classes, chosen.val);
  const splits = dryRun ? { train: handful(chosen.train, batchSize(recipe)), val: handful(chosen.val, 2) } : chosen;
  const { train: trainLoader, val: valLoader } = loaders(recipe, architecture, splits, {
    overfit: overfit !== null,
    scales,
  });
  const { train } = recipe;
  const { resample } = recipe.data;
  const stepsPerEpoch = Math.ceil(trainLoader.batches / train.grad_accum_steps);
  const steps = train.epochs * stepsPerEpoch;
  const summary = datasetSummary(dataset);
  const used = `${device.kind === "gpu" ? "GPU" : "CPU"} (${device.name}), libtensorflow ${device.tensorflow}`;
  return {
    learner,
    trainLoader,
    valLoader,
    valSplit: splits.val,
    classes,
    schedule: scheduleFrom(train.schedule),
    staging: { plan, current: stage, entered: false, meter: stepMeter() },
    stepSettings: { ...stepSettings(recipe, architecture), sides: scales.perStep },
    size: {
      epochs: train.epochs,
      stepsPerEpoch,
      totalSteps: Math.min(steps, train.max_steps ?? steps),
      stepsDone: 0,
      imagesPerStep: batchSize(recipe) * train.grad_accum_steps,
    },
    facts: [
      ...summary,
      ...(overfit === null ? [] : [`Only the first ${overfit} training images are used, for training and evaluation`]),
      ...start.facts,
      ...describeModel(recipe, architecture, plan),
      ...scales.facts,
      ...(resample === "none" || overfit !== null ? [] : [describeResampling(resample, splits.train.samples)]),
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
function describeModel({ model, train, data }: Recipe, { resolution }: Architecture, plan: Stage[]): string[] {
  const { trainable, frozen } = plan[0]!;
  const share =
    train.stages !== null
      ? `trained in ${plan.length} stage${plan.length === 1 ? "" : "s"}`
      : frozen === 0
        ? "all of them train"
        : `${millions(trainable)} train, the encoder is frozen`;
  const { grad_accum_steps: accumulated, schedule } = train;
  const images = `${data.batch_size}${accumulated > 1 ? ` x ${accumulated} accumulated` : ""} images an update`;
  return [
    `Model: ${model.variant} at ${resolution} x ${resolution}, ${millions(trainable + frozen)} parameters, ${share}`,
    `Optimizer: AdamW, ${images}, learning rates ${train.lr} and ${train.lr_encoder} (encoder), ${schedule.name} schedule`,
    ...(train.stages === null ? [] : plan.map((stage) => describeStage(stage, plan))),
  ];
}

/** End the threads and free the tensors. */
export async function closeParts({ learner, trainLoader, valLoader }: Parts): Promise<void> {
  await Promise.all([trainLoader.close(), valLoader.close()]);
  disposeLearner(learner);
}

/** Some images, those with boxes first. */
function handful(split: Split, images: number): Split {
  const boxes = ({ annotations }: Sample) => Math.min(1, annotations.length);
  return { ...split, samples: [...split.samples].sort((a, b) => boxes(b) - boxes(a)).slice(0, images) };
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
  { resolution }: Architecture,
  splits: { train: Split; val: Split },
  { overfit, scales }: { overfit: boolean; scales: MultiScale },
): { train: Loader; val: Loader } {
  const { augment, workers, shuffle, resample } = recipe.data;
  const common = { batchSize: batchSize(recipe), resolution, workers, seed: recipe.seed };
  const changes = augment === "none" || overfit ? null : augment;
  const gradAccumSteps = recipe.train.grad_accum_steps;
  return {
    train: createLoader({
      ...{ ...common, split: splits.train, augment: changes, training: true, gradAccumSteps },
      // the device resizes batches of the largest side, as the reference does
      resolution: scales.perStep?.at(-1) ?? resolution,
      sides: scales.perImage,
      ...(resample !== "none" && !overfit && { resample }),
      shuffle: shuffle && !overfit, // in turn, each of the few images is seen equally often
    }),
    val: evaluationLoader(splits.val, { batchSize: common.batchSize, resolution, workers }),
  };
}

function batchSize(recipe: Recipe): number {
  const { batch_size: size } = recipe.data;
  if (size === "auto") throw new Error("data.batch_size: auto has not been resolved"); // see autoBatch.ts
  return size;
}
