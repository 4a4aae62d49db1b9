// The parts of a run, made from its recipe: device, data, model with its weights, schedule.

import * as tf from "@tensorflow/tfjs-core";
import { toFields } from "../architecture/fields.ts";
import type { Architecture } from "../architecture/variants.ts";
import { leafShapes } from "../architecture/weights/table.ts";
import { toText } from "../checkpoint/weightsFile.ts";
import { type LabelsByModel, labelsByModel } from "../data/dataset/byModel/refuse.ts";
import { headerProblems } from "../data/dataset/check/headers.ts";
import { leakProblems, refuseLeaks } from "../data/dataset/check/leaks.ts";
import { segmenterProblems } from "../data/dataset/check/masks.ts";
import { wholenessProblems } from "../data/dataset/check/wholeness.ts";
import { type Dataset, datasetSummary, describeWarnings, loadDataset, refuseErrors } from "../data/dataset/dataset.ts";
import { contentFingerprint, datasetFingerprint } from "../data/dataset/fingerprint.ts";
import type { ClassEntry, Problem } from "../data/dataset/sample.ts";
import { ALONE, type Workers } from "../distributed/workers.ts";
import { bf16Support } from "../engine/bf16.ts";
import { type DeviceInfo, selectDevice } from "../engine/device.ts";
import { describeAugment } from "../loading/augment/describe.ts";
import type { Loader } from "../loading/batch/loader.ts";
import { describeAllShown, describeOrder } from "../loading/order/shown.ts";
import { givesMasks } from "../recipe/modelKeys.ts";
import type { Recipe } from "../recipe/schema.ts";
import { describeEnvironment, type Environment } from "../run/environment.ts";
import type { TrainEvent } from "../run/events.ts";
import type { SplitRecord } from "../run/records/split.ts";
import { createLearner, disposeLearner } from "../step/learner.ts";
import { multiScale } from "../step/multiScale.ts";
import { scheduleFrom } from "../step/optimiser/schedule.ts";
import type { StateDict } from "../util/hostTensor.ts";
import { factLine, sentence } from "../util/text/fact.ts";
import { describePrecision } from "./auto/precision.ts";
import { describeDevice, describeMissingMasks, describeModel, describeQueries } from "./describeRun.ts";
import { describeTest, testImages } from "./ending/testSplit.ts";
import type { Parts } from "./liveRun.ts";
import { recipeArchitecture } from "./recipeArchitecture.ts";
import { chooseSplits, evaluatedImages, inParts, loaders, orderingOf } from "./runData.ts";
import { batchSize, learnerSettings, recorderOf, stepSettings } from "./settings.ts";
import { stepMeter } from "./stages/meter.ts";
import { requireSameClasses } from "./stages/sameData.ts";
import { stageAt, stagePlan } from "./stages/stages.ts";
import { startingWeights } from "./startingWeights.ts";
import { requireSameEnvironment, shareTensors } from "./workers/beginning.ts";
import { describeShare, shareOf } from "./workers/share.ts";

export type AssembleOptions = {
  overfit: number | null;
  /** One batch and two validation images only. */
  dryRun?: boolean;
  /** Who trains together; default: this process alone. */
  workers?: Workers | undefined;
  /** Whether the run goes on from a checkpoint. */
  goesOn?: boolean;
  /** The weights of that checkpoint, in the first of the workers. */
  model?: StateDict;
  /** The classes that these weights know, by label. */
  classNames?: readonly string[] | undefined;
  /** Which images the run held back for validation when it began. */
  kept?: SplitRecord | null;
  /** Where the run begins or goes on, which decides on the stage. */
  epoch?: number;
  onEvent?: (event: TrainEvent) => void;
  /** Ends a download. */
  signal?: AbortSignal | undefined;
};

/** Make everything that a run needs; nothing is written. Throws a UserError that says what in recipe or data is wrong. */
export async function assemble(
  recipe: Recipe,
  { overfit, dryRun = false, workers = ALONE, goesOn = false, model, classNames, kept, epoch = 0, onEvent, signal }: AssembleOptions, // biome-ignore format: one line
): Promise<Parts> {
  recipeArchitecture(recipe); // a faulty one is reported before the data set is read
  const share = shareOf(recipe, workers);
  const { read, problems } = await readData(recipe, { kept, goesOn });
  const { dataset, facts: ofParts } = await inParts(recipe, read);
  const { classes } = dataset;
  if (classNames) requireSameClasses(classNames, classes);
  const architecture = recipeArchitecture(recipe, classes.length);
  const splits = chooseSplits(recipe, dataset, { overfit, dryRun });
  const evaluated = await evaluatedImages(recipe, splits.val, overfit);
  const device = selectDevice(recipe.device);
  const plan = stagePlan(recipe.train.stages, leafShapes(architecture), {
    freezeEncoder: recipe.model.freeze_encoder,
  });
  const stage = stageAt(plan, epoch);
  const start = goesOn
    ? { tensors: model, facts: [{ name: "Weights", value: "from the run's last checkpoint" }] }
    : workers.isFirst
      ? await weightsOf(recipe, { architecture, classes, onEvent, signal })
      : { tensors: undefined, facts: [] };
  const scales = multiScale(overfit === null ? recipe.data.multi_scale : "off", architecture);
  const learner = createLearner(
    shareTensors(workers, start.tensors),
    architecture,
    learnerSettings(recipe, stage.paths),
  );
  const { resolution, segmentationHead: masks } = architecture;
  const wanted = { resolution, scales, masks, overfit: overfit !== null, workers };
  const ordering = orderingOf(recipe, { batchSize: batchSize(recipe), overfit: wanted.overfit });
  const { train: trainLoader, val: valLoader } = loaders(recipe, { ...splits, val: evaluated }, wanted);
  const environment = await environmentOf(read, dataset, { device, masks });
  requireSameEnvironment(workers, environment);
  return {
    ...{ workers, ownBatches: share.batches },
    learner,
    trainLoader,
    valLoader,
    valSplit: splits.val,
    testImages: overfit === null && !dryRun ? testImages(recipe, dataset) : null,
    heldBack: read.heldBack ?? null,
    shown: (images) => describeAllShown(splits.train.samples, classes, { ordering, seed: recipe.seed, images }),
    classes,
    schedule: scheduleFrom(recipe.train.schedule),
    staging: { plan, current: stage, entered: false, meter: stepMeter() },
    stepSettings: {
      ...stepSettings(recipe, architecture),
      sides: scales.perStep,
      ...{ recorder: recorderOf(recipe), workers },
    },
    size: sizeOf(recipe, trainLoader),
    facts: [
      ...datasetSummary(read),
      ...describeWarnings(problems),
      ...ofParts,
      ...(overfit === null ? describeTest(recipe, dataset) : []),
      ...(overfit === null
        ? []
        : [sentence(`Only the first ${overfit} training images are used, for training and evaluation`)]),
      ...start.facts,
      ...describeShare(recipe, workers, share),
      ...describeModel(recipe, architecture, plan),
      ...describeQueries(architecture, splits.train),
      ...(masks ? describeMissingMasks(recipe, splits.train) : []),
      ...scales.facts,
      describeAugment(overfit === null ? recipe.data.augment : "none", {
        mildEpochs: recipe.data.close_augment_epochs,
      }),
      ...describeOrder(splits.train.samples, classes, { ordering, seed: recipe.seed }),
      ...describeDevice(device),
      ...describePrecision(recipe, bf16Support(device.kind)),
    ],
    environment,
    metadata: metadataOf(recipe, architecture, classes),
  };
}

/** What the run is trained on and with. `dataset` is what was read, in the parts that it is trained in. */
async function environmentOf(
  read: Dataset,
  dataset: Dataset,
  { device, masks }: { device: DeviceInfo; masks: boolean },
): Promise<Environment> {
  return describeEnvironment(
    { tfjs: tf.version_core, libtensorflow: device.tensorflow, device: device.kind === "gpu" ? device.name : "cpu" },
    {
      fingerprint: await datasetFingerprint(dataset, { masks }),
      content: await contentFingerprint(read),
      ...labelsOf(read),
    },
  );
}

/** Labels that a model made, for who looks at the run later. */
function labelsOf(dataset: Dataset): { labels_by_model?: LabelsByModel } {
  const { train } = labelsByModel(dataset);
  return train ? { labels_by_model: train } : {};
}

/** The data set, and what is wrong with it, none of which stops a run. Throws a UserError for what does. */
async function readData(
  recipe: Recipe,
  { kept, goesOn }: { kept: SplitRecord | null | undefined; goesOn: boolean },
): Promise<{ read: Dataset; problems: Problem[] }> {
  const read = await loadDataset(recipe.data, { kept });
  const headers = await headerProblems(read);
  const whole = wholenessProblems(read);
  const ofMasks = givesMasks(recipe.model) ? segmenterProblems(read) : [];
  refuseErrors([...whole, ...headers, ...ofMasks]);
  const leaks = await leakProblems(read, { allowed: recipe.data.allow_leaks || goesOn });
  const problems = [...read.problems, ...whole, ...headers];
  const others = describeWarnings(problems).map(factLine);
  refuseLeaks(leaks, { dir: recipe.data.dir, others });
  return { read, problems: [...problems, ...leaks] };
}

/** Weights to begin from, as the recipe has it; downloads are reported as events. */
function weightsOf(
  recipe: Recipe,
  {
    architecture,
    classes,
    onEvent,
    signal,
  }: Pick<AssembleOptions, "onEvent" | "signal"> & { architecture: Architecture; classes: readonly ClassEntry[] },
): ReturnType<typeof startingWeights> {
  const { weights: name, seed, heads } = recipe;
  return startingWeights(
    name,
    architecture,
    { seed, heads, classNames: classes.map((one) => one.name) },
    {
      onProgress: (received, total) => onEvent?.({ type: "download", name, received, total }),
      onRetry: (reason) => onEvent?.({ type: "retry", name, reason }),
      ...(signal && { signal }),
    },
  );
}

/** How long the run is, in epochs, steps and images. */
function sizeOf(recipe: Recipe, { batches }: Loader): Parts["size"] {
  const { epochs, max_steps: most, grad_accum_steps: accumulated } = recipe.train;
  const stepsPerEpoch = Math.ceil(batches / accumulated);
  const steps = epochs * stepsPerEpoch;
  return {
    epochs,
    stepsPerEpoch,
    totalSteps: Math.min(steps, most ?? steps),
    stepsDone: 0,
    imagesPerStep: batchSize(recipe) * accumulated,
  };
}

/** What a file of weights says about itself. */
function metadataOf(recipe: Recipe, architecture: Architecture, classes: readonly ClassEntry[]): Parts["metadata"] {
  return ({ epoch, step, operatingPoint }) =>
    toText({
      modelConfig: toFields(architecture) as Record<string, string>,
      classNames: classes.map(({ name }) => name),
      categoryIds: classes.map(({ categoryId }) => categoryId),
      epoch,
      extra: {
        ...{ step: String(step), run: recipe.name, ...slicesOf(recipe), ...classRulesOf(recipe) },
        ...(operatingPoint && { operating_point: JSON.stringify(operatingPoint) }),
      },
    });
}

/** The parts that the weights are trained on, for whoever detects with them. */
function slicesOf({ data: { slices } }: Recipe): { slices?: string } {
  if (slices === "none") return {};
  const { size, overlap } = slices;
  return { slices: JSON.stringify({ size, overlap }) };
}

/** What became of the classes of the data set, for whoever measures the weights on it. */
function classRulesOf({ data: { classes } }: Recipe): { data_classes?: string } {
  return classes === null ? {} : { data_classes: JSON.stringify(classes) };
}

/** End the threads, and free the tensors and what was recorded. */
export async function closeParts({ learner, trainLoader, valLoader, stepSettings }: Parts): Promise<void> {
  await Promise.all([trainLoader.close(), valLoader.close()]);
  stepSettings.recorder?.dispose();
  disposeLearner(learner);
}
