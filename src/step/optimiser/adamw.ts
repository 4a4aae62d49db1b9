// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019), with the numbers of torch.optim.AdamW, and clipping by
// the global norm. A weight costs four in-place operations an update, whatever its size.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { adamInPlace, adamWInPlace, createInPlace, readInPlace, writeInPlace } from "../../ops/inPlace.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;
const FLOAT = { type: "float" } as const;

/** Moments of one weight; `steps` counts the updates it has had, for the bias correction. */
type Moments = { first: tf.Tensor; second: tf.Tensor; steps: number };

/** State of the optimizer: the moments of the weights that have had a gradient so far, by path. */
export type AdamW = { moments: Map<string, Moments>; scratch: tf.Tensor };

/** A weight to update, with its gradient and this update's learning rate. */
export type Update = { path: string; weight: tf.Variable; gradient: tf.Tensor; lr: number; weightDecay: number };

export function adamW(): AdamW {
  return { moments: new Map(), scratch: createInPlace() };
}

/** Free the moments. */
export function disposeAdamW(optimizer: AdamW): void {
  for (const { first, second } of optimizer.moments.values()) tf.dispose([first, second]);
  optimizer.moments.clear();
  optimizer.scratch.dispose();
}

/** Free the moments of one weight; they are fresh if it trains again. */
export function forget(optimizer: AdamW, path: string): void {
  const moments = optimizer.moments.get(path);
  if (moments) tf.dispose([moments.first, moments.second]);
  optimizer.moments.delete(path);
}

/** Norm of all gradients as one vector: a scalar. */
export function globalNorm(gradients: tf.Tensor[]): tf.Scalar {
  if (gradients.length === 0) return tf.scalar(0); // nothing that trains is reached by the loss
  return tf.tidy(() => {
    const halves = gradients.map((gradient) => rawOp("L2Loss", { T: FLOAT }, [gradient])); // sum of squares / 2
    return tf.sqrt(tf.mul(rawOp("AddN", { N: halves.length, T: FLOAT }, halves), 2)) as tf.Scalar;
  });
}

/** Factor that brings a norm down to `maxNorm`: min(1, maxNorm / (norm + 1e-6)); 0 or less for no clipping. */
export function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}

/** An update of one weight as the device sees it: every number that changes from step to step is a tensor. */
type PreparedUpdate = Pick<Update, "weight" | "gradient"> & { moments: Moments; numbers: Numbers };

/** In one tensor for our own kernel, or one by one. `decay`: what the weight is multiplied by first; null where it has no decay. */
type Numbers = { packed: tf.Tensor1D } | { decay: tf.Scalar | null; rate: tf.Scalar; epsilon: tf.Scalar };

export type UpdateInputs = {
  updates: PreparedUpdate[];
  /** What every gradient is multiplied by; null for no clipping. */
  scale: tf.Scalar | null;
  constants: { zero: tf.Scalar; beta1: tf.Scalar; beta2: tf.Scalar };
  dispose(): void;
};

/** The host's part of an update: counts it, makes moments that are not there yet, and uploads its numbers. */
export function updateInputs(optimizer: AdamW, updates: readonly Update[], scale: number | null): UpdateInputs {
  const packs = new Map<string, tf.Tensor1D>();
  const pack = (...values: number[]) => {
    const known = packs.get(values.join()) ?? tf.tensor1d(values);
    packs.set(values.join(), known);
    return known;
  };
  const scalars = new Map<number, tf.Scalar>();
  const scalar = (value: number) => {
    const known = scalars.get(value) ?? tf.scalar(value);
    scalars.set(value, known);
    return known;
  };
  const prepared = updates.map(({ path, weight, gradient, lr, weightDecay }) => {
    const moments = optimizer.moments.get(path) ?? freshMoments(weight.shape);
    optimizer.moments.set(path, moments);
    moments.steps++;
    // The library computes with the float32 nearest to each beta; the corrections must belong to the same numbers.
    const correction1 = 1 - Math.fround(BETA1) ** moments.steps;
    const correction2 = Math.sqrt(1 - Math.fround(BETA2) ** moments.steps);
    const [decay, rate, epsilon] = [1 - lr * weightDecay, (lr * correction2) / correction1, EPSILON * correction2];
    const numbers = hasKernels()
      ? { packed: pack(scale ?? 1, decay, rate, 1 - Math.fround(BETA1), 1 - Math.fround(BETA2), epsilon) }
      : { decay: weightDecay === 0 ? null : scalar(decay), rate: scalar(rate), epsilon: scalar(epsilon) };
    return { weight, gradient, moments, numbers };
  });
  return {
    updates: prepared,
    scale: scale === null ? null : scalar(scale),
    constants: { zero: scalar(0), beta1: scalar(BETA1), beta2: scalar(BETA2) },
    dispose: () => tf.dispose([...scalars.values(), ...packs.values()]),
  };
}

/**
 * Update weights and moments; a weight that is not named keeps its value and its moments, as torch treats a parameter
 * without a gradient. The gradients stay the caller's. Nothing is read from the device.
 */
export function applyUpdates({ scratch }: AdamW, { updates, scale, constants }: UpdateInputs): void {
  for (const { weight, gradient, moments, numbers } of updates) {
    if ("packed" in numbers) {
      const updated = adamWInPlace(weight, moments, numbers.packed, gradient);
      weight.assign(updated);
      updated.dispose();
      continue;
    }
    const { decay, rate, epsilon } = numbers;
    const decayed = decay && multiply(weight, decay);
    const scaled = scale && multiply(gradient, scale);
    writeInPlace(scratch, decayed ?? weight);
    decayed?.dispose(); // the update may now work in its memory
    adamInPlace(scratch, moments, { ...constants, rate, epsilon }, scaled ?? gradient);
    scaled?.dispose();
    const updated = readInPlace(scratch);
    weight.assign(updated);
    updated.dispose();
  }
  writeInPlace(scratch, constants.zero); // or it would hold on to the last weight
}

/** Both parts at once. `scale`: what each gradient is multiplied by first; null for no clipping. */
export function updateWeights(optimizer: AdamW, updates: readonly Update[], scale: number | null): void {
  const inputs = updateInputs(optimizer, updates, scale);
  applyUpdates(optimizer, inputs);
  inputs.dispose();
}

function multiply(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return rawOp("Mul", { T: FLOAT }, [a, b]);
}

function freshMoments(shape: number[]): Moments {
  const [first, second] = [createInPlace(), createInPlace()];
  for (const moment of [first, second]) setMoment(moment, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  return { first, second, steps: 0 };
}

function setMoment(handle: tf.Tensor, values: Float32Array, shape: number[]): void {
  const tensor = tf.tensor(values, shape, "float32");
  writeInPlace(handle, tensor);
  tensor.dispose();
}

/** Moments in host memory, in our layout. */
export type HostMoments = { shape: number[]; first: Float32Array; second: Float32Array; steps: number };

/** The optimizer's whole state, for a checkpoint. */
export async function readMoments(optimizer: AdamW): Promise<Map<string, HostMoments>> {
  const host = new Map<string, HostMoments>();
  for (const [path, { first, second, steps }] of optimizer.moments) {
    const [a, b] = [readInPlace(first), readInPlace(second)];
    const values = [(await a.data()) as Float32Array, (await b.data()) as Float32Array] as const;
    host.set(path, { shape: [...a.shape], first: values[0], second: values[1], steps });
    tf.dispose([a, b]);
  }
  return host;
}

/** Put a state that `readMoments` returned back. */
export function writeMoments(optimizer: AdamW, host: Map<string, HostMoments>): void {
  for (const [path, { shape, first, second, steps }] of host) {
    const moments = optimizer.moments.get(path) ?? { first: createInPlace(), second: createInPlace(), steps: 0 };
    setMoment(moments.first, first, shape);
    setMoment(moments.second, second, shape);
    optimizer.moments.set(path, { ...moments, steps });
  }
}
