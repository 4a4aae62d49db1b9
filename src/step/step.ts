// One step in five stages: forward, match and backward for each of its batches, of which several workers compute some each, reduce, update.
// A stage takes every number of the host that changes from step to step as a tensor and reads nothing from the device, but for the
// matcher's costs, which are what `match` is there for, and in `reduce` what other workers have.

import * as tf from "@tensorflow/tfjs-core";
import { ALONE, areApart, type Workers } from "../distributed/workers.ts";
import { EAGER, type Recorder } from "../engine/recording/recorder.ts";
import type { Batch } from "../loading/batch/batch.ts";
import { countBoxes, normaliser } from "../loss/criterion.ts";
import { type PointDraws, seededDraws } from "../loss/masks/draws.ts";
import { MASK_LOSSES, type MaskLossSettings } from "../loss/masks/settings.ts";
import { termsOf } from "../loss/terms/chosen.ts";
import { dropPathMasks } from "../model/dropPath.ts";
import { uploadPadding } from "../model/padding.ts";
import { levelSizes } from "../model/projector.ts";
import type { Checkpointing } from "../model/rfdetr.ts";
import type { Precision } from "../ops/bf16/precision.ts";
import type { Histogram } from "../util/histogram.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import { pause } from "../util/threads/giveUp.ts";
import { accumulate, type Gradients, type LossInputs } from "./backward.ts";
import { type BatchInputs, batchGradients } from "./batchGradients.ts";
import { uploadImages } from "./forward.ts";
import type { Learner } from "./learner.ts";
import { sideOfStep } from "./multiScale.ts";
import { readNumbers, type StepNumbers } from "./numbers.ts";
import type { EmaSettings } from "./optimiser/ema.ts";
import { gradientHistograms } from "./optimiser/gradientHistograms.ts";
import { reduce } from "./reduce.ts";
import { update } from "./update.ts";

export type StepSettings = {
  clipMaxNorm: number;
  ema: EmaSettings | null;
  /**
   * How the batches of one step add up. "mean": the mean of their losses, each divided by its own number of boxes, as
   * the reference does. "whole": each divided by the boxes of all of them, so that the step equals one large batch.
   */
  accumulation: "mean" | "whole";
  /** Activations that are computed again in the backward pass; default none. */
  checkpointing?: Checkpointing | undefined;
  /** What products are computed in; default float32. */
  precision?: Precision | undefined;
  /** Multi-scale training per batch: the images of a step are resized to one of these sides, in pixels. */
  sides?: readonly number[] | undefined;
  /** Stochastic depth: the rate of each encoder block; what is dropped follows from the seed and the step. */
  dropPath?: { rates: number[]; seed: number } | undefined;
  /** What a segmenter's masks are trained with; default: as the reference does, with draws that follow from the step. */
  masks?: MaskSettings | undefined;
  /** After every so many steps the result holds histograms of the gradients. */
  histogramsEvery?: number | undefined;
  /** Records the stages and replays them; default: they run operation by operation. */
  recorder?: Recorder | undefined;
  /** Who else computes batches of each step, as many as this process; default: nobody. */
  workers?: Workers | undefined;
};

/** `drawsOf`: the random points of a batch, by the step and its place in it. */
export type MaskSettings = { settings: MaskLossSettings; drawsOf(step: number, place: number): PointDraws };

const DEFAULT_MASKS: MaskSettings = {
  settings: MASK_LOSSES,
  drawsOf: (step, place) => seededDraws(0, step, place),
};

/** This worker's batches of a step, and how many updates are done before it; with `giveUp` aborted, its reason is thrown at the next pause. */
export type StepInput = { batches: readonly Batch[]; step: number; giveUp?: AbortSignal | undefined };

export type StepResult = StepNumbers & {
  /** Of the gradients before clipping, by the weight's path, where settings.histogramsEvery asks for them. */
  histograms?: Map<string, Histogram>;
};

/** A step whose gradients are there; whoever asked for it decides whether they become an update, and frees them. */
export type ComputedStep = StepResult & { gradients: Gradients; dispose(): void };

/** Forward, match, backward and reduce. The numbers of the step are read at its end. No weight is changed. */
export async function computeStep(
  learner: Learner,
  settings: StepSettings,
  { batches, step, giveUp }: StepInput,
): Promise<ComputedStep> {
  const { decLayers, segmentationHead } = learner.architecture;
  const masks = segmentationHead ? (settings.masks ?? DEFAULT_MASKS) : undefined;
  const { checkpointing, precision, accumulation, histogramsEvery, workers = ALONE } = settings;
  const recorder = pausing(settings.recorder ?? EAGER, giveUp);
  let gradients: Gradients[] = [];
  let inputs: BatchInputs | undefined;
  const tables: tf.Tensor[] = [];
  const apart = !workers.isFirst && areApart(batches.length, workers);
  const first = workers.rank * batches.length; // place of the first of these batches in the step
  const freeInputs = () => inputs && tf.dispose([inputs.scalars, inputs.images, inputs.padding ?? [], inputs.dropPath ?? []]); // biome-ignore format: one line
  try {
    const scalarsOf = shares(learner, accumulation, { batches, workers });
    for (const [i, batch] of batches.entries()) {
      inputs = batchInputs(learner, settings, { step, batch, place: first + i, scalars: scalarsOf(batch) });
      const taken = inputs;
      const drawn = () => masks && { settings: masks.settings, draws: masks.drawsOf(step, first + i) };
      const found = await recorder.settle(
        () => batchGradients(learner, batch, taken, { recorder, checkpointing, precision, masks: drawn() }),
        ({ gradients: mine, table }) => tf.dispose([...mine.values(), table]),
      );
      if (gradients.length === 0 || apart) gradients.push(found.gradients);
      else gradients[0] = accumulate(gradients[0]!, found.gradients);
      tables.push(found.table);
      freeInputs();
      inputs = undefined;
    }
    const reduced = await reduce({ gradients, tables }, { workers, weights: learner.weights, recorder });
    gradients = [reduced.gradients];
    const numbers = await readNumbers(reduced, {
      ...{ files: filesOf(batches, workers), layers: decLayers, whole: accumulation === "whole" },
      ...{ recorder, terms: termsOf(masks?.settings) },
    });
    tf.dispose([...tables, ...reduced.tables]);
    const asked = histogramsEvery !== undefined && (step + 1) % histogramsEvery === 0 && numbers.problem === null;
    return {
      ...numbers,
      ...(asked && { histograms: await gradientHistograms(reduced.gradients) }),
      gradients: reduced.gradients,
      dispose: () => tf.dispose([...reduced.gradients.values()]),
    };
  } catch (error) {
    freeInputs();
    tf.dispose([gradients.map((some) => [...some.values()]), tables]);
    throw error;
  }
}

/** The recorder, with a pause before each part in which the step can be given up. */
function pausing(recorder: Recorder, giveUp: AbortSignal | undefined): Recorder {
  if (!giveUp) return recorder;
  return {
    ...recorder,
    chain: (...which) => {
      const chain = recorder.chain(...which);
      return {
        ...chain,
        async part(inputs, run) {
          await pause(giveUp);
          return chain.part(inputs, run);
        },
      };
    },
  };
}

/** Keeps the random stream of what is dropped apart from others of the same seed. */
const DROP_PATH = 0x64726f70;

/** All that forward and backward take of a batch, on the device; `place` is its place in the step. */
function batchInputs(
  { architecture }: Learner,
  { sides, dropPath }: StepSettings,
  { step, batch, place, scalars }: { step: number; batch: Batch; place: number; scalars: LossInputs },
): BatchInputs {
  const { mask, shape } = batch;
  const images = uploadImages(batch, sides && sideOfStep(sides, step));
  const [, height, width] = images.shape;
  return {
    images,
    padding: mask && uploadPadding({ mask, shape }, levelSizes(architecture, [height, width])),
    dropPath:
      dropPath &&
      dropPathMasks({ rates: dropPath.rates, rng: rngFromSeed(dropPath.seed, step, place, DROP_PATH) }, architecture, {
        images: shape[0],
      }),
    scalars,
  };
}

/** How each batch counts in its step: its divisor and its share. "whole" asks all workers for their boxes. */
function shares(
  { architecture: { groupDetr: groups } }: Learner,
  accumulation: StepSettings["accumulation"],
  { batches, workers }: { batches: readonly Batch[]; workers: Workers },
): (batch: Batch) => LossInputs {
  if (accumulation === "mean")
    return ({ targets }) => ({
      divisor: tf.scalar(normaliser(countBoxes(targets), groups)),
      share: tf.scalar(1 / (workers.size * batches.length)),
    });
  const [boxes] = workers.sum([countBoxes(batches.flatMap(({ targets }) => targets))]);
  return () => ({ divisor: tf.scalar(normaliser(boxes!, groups)), share: tf.scalar(1) });
}

/** The files of each batch of the step; other workers' are not known here. */
function filesOf(batches: readonly Batch[], { rank, size }: Workers): (readonly string[])[] {
  return Array.from({ length: size }, (_, worker) =>
    batches.map(({ files }) => (worker === rank ? files : [`images of worker ${worker}`])),
  ).flat();
}

/** A whole step with the learning rates times `rateFactor`; one that has a problem changes nothing. */
export async function trainStep(
  learner: Learner,
  settings: StepSettings,
  { rateFactor, ...input }: StepInput & { rateFactor: number },
): Promise<StepResult> {
  const { gradients, dispose, ...result } = await computeStep(learner, settings, input);
  if (result.problem === null)
    await update(learner, { gradients, gradNorm: result.gradNorm }, { ...settings, rateFactor });
  dispose();
  return result;
}
