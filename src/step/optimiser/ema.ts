// Exponential moving average of the weights. Source: training/callbacks/ema.py of rfdetr over torch's AveragedModel.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { EAGER, type Recorder } from "../../engine/recording/recorder.ts";
import { descendInPlace, holdInPlace, moveInPlace, readInPlace } from "../../ops/inPlace.ts";

export type EmaSettings = { decay: number /** In updates; 0 for no ramp. */; tau: number };

/** The averages by path, and how many updates they have had. */
export type Ema = { averages: Map<string, tf.Tensor>; updates: number };

export function ema(): Ema {
  return { averages: new Map(), updates: 0 };
}

export function disposeEma(state: Ema): void {
  tf.dispose([...state.averages.values()]);
  state.averages.clear();
}

/** Decay of the update with this number, from 1: it ramps up so that early averages forget the start. */
function emaDecay({ decay, tau }: EmaSettings, update: number): number {
  return tau > 0 ? decay * (1 - Math.exp(-update / tau)) : decay;
}

/**
 * Move the averages towards the weights; one that is not there yet becomes a copy, as all do in the first update. Three operations
 * a weight, or one for all by a kernel of our own.
 */
export async function updateEma(
  state: Ema,
  weights: Iterable<[string, tf.Tensor]>,
  { recorder = EAGER, ...settings }: EmaSettings & { recorder?: Recorder },
): Promise<void> {
  state.updates++;
  const moving: { average: tf.Tensor; weight: tf.Tensor }[] = [];
  for (const [path, weight] of weights) {
    const average = state.averages.get(path);
    if (state.updates === 1 || !average) setAverage(state, path, weight);
    else moving.push({ average, weight });
  }
  if (moving.length === 0) return;
  const rate = tf.scalar(1 - emaDecay(settings, state.updates));
  const stage = (hasKernels() ? EAGER : recorder).chain("average"); // as the update
  await stage.part({ moving, rate }, () => {
    if (hasKernels()) return moveInPlace(moving, rate);
    for (const { average, weight } of moving) moveAverage(average, weight, rate);
  });
  rate.dispose();
}

/** One average by TensorFlow's own operations; how far it moves is `rate`. */
function moveAverage(average: tf.Tensor, weight: tf.Tensor, rate: tf.Scalar): void {
  const current = readInPlace(average);
  const difference = rawOp("Sub", { T: { type: "float" } }, [current, weight]);
  current.dispose(); // or its memory would count as shared, and be copied
  descendInPlace(average, rate, difference);
  difference.dispose();
}

/** Set the average of one weight, as a checkpoint or a first update does. */
export function setAverage(state: Ema, path: string, value: tf.Tensor): void {
  const old = state.averages.get(path);
  state.averages.set(path, holdInPlace(value));
  old?.dispose();
}

/** The average of one weight as a plain tensor that the caller owns, to be used before the next update; undefined before the first. */
export function readAverage(state: Ema, path: string): tf.Tensor | undefined {
  const handle = state.averages.get(path);
  return handle && readInPlace(handle);
}
