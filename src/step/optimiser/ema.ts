// Exponential moving average of the weights. Source: training/callbacks/ema.py of rfdetr over torch's AveragedModel.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { copyInPlace, createInPlace, descendInPlace, moveInPlace, readInPlace } from "../../ops/inPlace.ts";

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

/** The host's part of an update: counts it; the result is how far the averages move, the caller's scalar. */
export function emaRate(state: Ema, settings: EmaSettings): tf.Scalar {
  state.updates++;
  return tf.scalar(1 - emaDecay(settings, state.updates));
}

/** Move the averages towards the weights by `rate`; one that is not there yet becomes a copy. Three operations a weight. */
export function moveAverages(state: Ema, rate: tf.Scalar, weights: Iterable<[string, tf.Tensor]>): void {
  const first = state.updates === 1;
  for (const [path, weight] of weights) {
    const average = state.averages.get(path);
    if (first || !average) {
      setAverage(state, path, weight);
      continue;
    }
    if (hasKernels()) {
      moveInPlace(average, rate, weight);
      continue;
    }
    const current = readInPlace(average);
    const difference = rawOp("Sub", { T: { type: "float" } }, [current, weight]);
    current.dispose(); // or its memory would count as shared, and be copied
    descendInPlace(average, rate, difference);
    difference.dispose();
  }
}

/** Both parts at once. */
export function updateEma(state: Ema, settings: EmaSettings, weights: Iterable<[string, tf.Tensor]>): void {
  const rate = emaRate(state, settings);
  moveAverages(state, rate, weights);
  rate.dispose();
}

/** Set the average of one weight, as a checkpoint or a first update does. */
export function setAverage(state: Ema, path: string, value: tf.Tensor): void {
  const handle = state.averages.get(path) ?? createInPlace();
  copyInPlace(handle, value);
  state.averages.set(path, handle);
}

/** The average of one weight as a plain tensor that the caller owns, to be used before the next update; undefined before the first. */
export function readAverage(state: Ema, path: string): tf.Tensor | undefined {
  const handle = state.averages.get(path);
  return handle && readInPlace(handle);
}
