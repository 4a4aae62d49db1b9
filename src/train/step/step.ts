// One optimizer update: forward, loss and gradients of each batch of the step, clipping, AdamW, moving average.

import * as tf from "@tensorflow/tfjs-core";
import type { Batch } from "../../data/batch/loader.ts";
import { criterion, normaliser } from "../../loss/criterion.ts";
import type { DropPath } from "../../model/backbone.ts";
import { type Checkpointing, rfdetr } from "../../model/rfdetr.ts";
import { valueAndGradients } from "../../ops/differentiable.ts";
import { resizeBilinear } from "../../ops/resize.ts";
import type { Histogram } from "../../track/tracker.ts";
import { rngFromSeed } from "../../util/rng.ts";
import { clipFactor, globalNorm, type Update, updateWeights } from "../optimiser/adamw.ts";
import { type EmaSettings, updateEma } from "../optimiser/ema.ts";
import { gradientHistograms } from "../optimiser/gradientHistograms.ts";
import { averagedLeaves, type Learner, trainable } from "./learner.ts";
import { sideOfStep } from "./multiScale.ts";

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
  /** Multi-scale training per batch: the images of a step are resized to one of these sides, in pixels. */
  sides?: readonly number[] | undefined;
  /** Stochastic depth: the rate of each encoder block; what is dropped follows from the seed and the step. */
  dropPath?: { rates: number[]; seed: number } | undefined;
  /** After every so many steps the result holds histograms of the gradients. */
  histogramsEvery?: number | undefined;
};

/** `problem` is null, or says what was not finite in which images; then nothing was changed. */
export type StepResult = {
  /** Weighted sum of the terms, and the terms by their reference names: the mean (or the whole batch's) of all batches. */
  loss: number;
  terms: Record<string, number>;
  /** Norm of the gradient before clipping. */
  gradNorm: number;
  problem: string | null;
  /** Of the gradients before clipping, by the weight's path, where settings.histogramsEvery asks for them. */
  histograms?: Map<string, Histogram>;
};

type Gradients = Map<string, tf.Tensor>;

type BatchOptions = {
  /** How the batch counts in its step: its loss times `share`, divided by `boxCount` instead of its own number of boxes. */
  share: number;
  boxCount?: number;
  side?: number | undefined;
  forward: { checkpointing: Checkpointing | undefined; dropPath?: DropPath | undefined };
};

/** Keeps the random stream of what is dropped apart from others of the same seed. */
const DROP_PATH = 0x64726f70;

/**
 * Run one update with the learning rates times `rateFactor`; `step` updates are done before it. The device is read once
 * a batch for the matcher and once for the numbers that come back. Weights that the loss does not reach keep their
 * values, as in torch.
 */
export async function trainStep(
  learner: Learner,
  settings: StepSettings,
  batches: Batch[],
  rateFactor: number,
  step = 0,
): Promise<StepResult> {
  const whole = settings.accumulation === "whole";
  const boxes = normaliser(
    batches.flatMap(({ targets }) => targets),
    learner.architecture.groupDetr,
  );
  const { checkpointing, sides, dropPath } = settings;
  const side = sides && sideOfStep(sides, step);
  const share = whole ? { share: 1, boxCount: boxes } : { share: 1 / batches.length };
  let gradients: Gradients = new Map();
  const tables: tf.Tensor[] = []; // of each batch: its loss, then its terms
  let names: string[] = [];
  for (const [i, batch] of batches.entries()) {
    const drop = dropPath && { rates: dropPath.rates, rng: rngFromSeed(dropPath.seed, step, i, DROP_PATH) };
    const result = batchGradients(learner, batch, { ...share, side, forward: { checkpointing, dropPath: drop } });
    gradients = accumulate(gradients, result.gradients);
    tables.push(result.table);
    names = result.names;
  }
  const list = [...gradients.values()];
  const norm = globalNorm(list);
  const numbers = tf.tidy(() => tf.concat([tf.reshape(norm, [1]), ...tables]));
  const values = await numbers.data();
  tf.dispose([norm, numbers, ...tables]);
  const result = summarise(values as Float32Array, names, batches, whole);

  if (result.problem === null) {
    const { histogramsEvery: every } = settings;
    if (every !== undefined && (step + 1) % every === 0) result.histograms = await gradientHistograms(gradients);
    updateWeights(
      learner.optimizer,
      updatesOf(learner, gradients, rateFactor),
      clipFactor(result.gradNorm, settings.clipMaxNorm),
    );
    if (learner.ema && settings.ema) updateEma(learner.ema, settings.ema, averagedLeaves(learner));
  }
  tf.dispose(list);
  return result;
}

/** Gradients by path, and the loss and its terms as one tensor [1 + terms]; all are the caller's. */
function batchGradients(
  { weights, architecture }: Learner,
  batch: Batch,
  { share, boxCount, side, forward }: BatchOptions,
): { gradients: Gradients; table: tf.Tensor; names: string[] } {
  const groups = architecture.groupDetr;
  const variables = trainable(weights);
  const images = upload(batch, side);
  let names: string[] = [];
  const result = valueAndGradients(
    variables.map(([, variable]) => variable),
    () => {
      const detections = rfdetr(weights, architecture, images, { training: true, mask: batch.mask, ...forward });
      const { loss, terms } = criterion(detections, batch.targets, boxCount ? { groups, boxCount } : { groups });
      names = Object.keys(terms);
      return { loss: tf.mul(loss, share) as tf.Scalar, extra: tf.stack([loss, ...Object.values(terms)]) };
    },
  );
  tf.dispose([result.loss, images]);
  const gradients: Gradients = new Map();
  for (const [i, [path]] of variables.entries()) if (result.gradients[i]) gradients.set(path, result.gradients[i]);
  return { gradients, table: result.extra, names };
}

/** The images of a batch on the device, resized where they are to have another side. */
function upload({ images, shape }: Batch, side: number | undefined): tf.Tensor4D {
  const whole = tf.tensor4d(images, shape);
  if (side === undefined) return whole;
  const resized = resizeBilinear(whole, side);
  whole.dispose();
  return resized;
}

/** The sum of two sets of gradients; both are used up. */
function accumulate(total: Gradients, more: Gradients): Gradients {
  const sums: Gradients = new Map(total);
  for (const [path, gradient] of more) {
    const before = total.get(path);
    sums.set(path, before ? tf.add(before, gradient) : gradient);
    if (before) tf.dispose([before, gradient]);
  }
  return sums;
}

function updatesOf({ weights, groups }: Learner, gradients: Gradients, rateFactor: number): Update[] {
  const groupOf = new Map(groups.flatMap((group) => group.paths.map((path) => [path, group])));
  return trainable(weights).flatMap(([path, weight]) => {
    const gradient = gradients.get(path);
    if (!gradient) return [];
    const group = groupOf.get(path);
    if (!group) throw new Error(`the weight ${path} is in no parameter group`);
    return [{ path, weight, gradient, lr: group.lr * rateFactor, weightDecay: group.weightDecay }];
  });
}

/** The numbers of a step from what was read: the norm, then of each batch the loss and its terms. */
function summarise(values: Float32Array, names: string[], batches: Batch[], whole: boolean): StepResult {
  const width = 1 + names.length;
  const columns = ["loss", ...names];
  const faults: string[] = [];
  const sums = new Float64Array(width);
  for (const [i, { files }] of batches.entries()) {
    const row = values.subarray(1 + i * width, 1 + (i + 1) * width);
    row.forEach((value, j) => {
      sums[j]! += value;
    });
    const bad = columns.filter((_, j) => !Number.isFinite(row[j]));
    if (bad.length > 0) faults.push(`${bad.join(", ")} of ${files.join(", ")}`);
  }
  const gradNorm = values[0]!;
  if (faults.length === 0 && !Number.isFinite(gradNorm)) {
    faults.push(`the gradient of ${batches.flatMap(({ files }) => files).join(", ")}`);
  }
  const numbers = columns.map((name, j) => {
    const addsUp = whole && name.startsWith("loss"); // errors are averages in either case
    return [name, addsUp ? sums[j]! : sums[j]! / batches.length] as const;
  });
  const { loss, ...terms } = Object.fromEntries(numbers) as Record<string, number> & { loss: number };
  return { loss, terms, gradNorm, problem: faults.length > 0 ? `not a finite number: ${faults.join("; ")}` : null };
}
