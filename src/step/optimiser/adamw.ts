// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019), with the numbers of torch.optim.AdamW, and clipping by
// the global norm. A weight costs six operations an update, whatever its size.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { EAGER, type Recorder } from "../../engine/recording/recorder.ts";
import { adamInPlace, adamWInPlace, createInPlace, readInPlace, writeInPlace } from "../../ops/inPlace.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;
const FLOAT = { type: "float" } as const;

/** Moments of one weight; `steps` counts the updates it has had, for the bias correction. */
type Moments = { first: tf.Tensor; second: tf.Tensor; steps: number };

/** State of the optimizer: the moments of the weights that have had a gradient so far, by path. */
export type AdamW = { moments: Map<string, Moments> };

/** A weight to update, with its gradient and this update's learning rate. */
export type Update = { path: string; weight: tf.Variable; gradient: tf.Tensor; lr: number; weightDecay: number };

export function adamW(): AdamW {
  return { moments: new Map() };
}

/** Free the moments. */
export function disposeAdamW(optimizer: AdamW): void {
  for (const { first, second } of optimizer.moments.values()) tf.dispose([first, second]);
  optimizer.moments.clear();
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
type PreparedUpdate = Pick<Update, "weight" | "gradient"> & {
  moments: Pick<Moments, "first" | "second">;
  numbers: Numbers;
};

/** In one tensor for our own kernel, or one by one. `decay`: what the weight is multiplied by first; null where it has no decay. */
type Numbers = { packed: tf.Tensor1D } | { decay: tf.Scalar | null; rate: tf.Scalar; epsilon: tf.Scalar };

type UpdateInputs = {
  updates: PreparedUpdate[];
  /** What every gradient is multiplied by; null for no clipping. */
  scale: tf.Scalar | null;
  constants: { zero: tf.Scalar; beta1: tf.Scalar; beta2: tf.Scalar };
};

/**
 * Update weights and moments; a weight that is not named keeps its value and its moments, as torch treats a parameter
 * without a gradient. `scale`: what each gradient is multiplied by first; null for no clipping. The gradients stay the
 * caller's. Nothing is read from the device.
 */
export async function updateWeights(
  optimizer: AdamW,
  updates: readonly Update[],
  { scale, recorder = EAGER }: { scale: number | null; recorder?: Recorder },
): Promise<void> {
  const { inputs, dispose } = updateInputs(optimizer, updates, scale);
  // our own kernel is a pass over memory that TensorFlow does not know of, which a function could not keep in order
  const stage = (hasKernels() ? EAGER : recorder).chain("update");
  const updated = await stage.part(inputs, () => applyUpdates(inputs));
  for (const [i, { weight }] of updates.entries()) weight.assign(updated[i]!);
  tf.dispose(updated);
  dispose();
}

/** The host's part of an update: counts it, makes moments that are not there yet, and uploads its numbers. */
function updateInputs(
  optimizer: AdamW,
  updates: readonly Update[],
  scale: number | null,
): { inputs: UpdateInputs; dispose(): void } {
  const packs = new Map<string, tf.Tensor1D>();
  const pack = (...values: number[]) => {
    const known = packs.get(values.join()) ?? tf.tensor1d(values);
    packs.set(values.join(), known);
    return known;
  };
  const scalars = new Map<string, tf.Scalar>();
  // One for each way to come to a number, not for each number: so the same inputs share a tensor in every step.
  const scalar = (value: number, ...from: (string | number)[]) => {
    const known = scalars.get(from.join()) ?? tf.scalar(value);
    scalars.set(from.join(), known);
    return known;
  };
  const prepared = updates.map(({ path, weight, gradient, lr, weightDecay }) => {
    const moments = optimizer.moments.get(path) ?? freshMoments(weight.shape);
    optimizer.moments.set(path, moments);
    const steps = ++moments.steps;
    // The library computes with the float32 nearest to each beta; the corrections must belong to the same numbers.
    const correction1 = 1 - Math.fround(BETA1) ** steps;
    const correction2 = Math.sqrt(1 - Math.fround(BETA2) ** steps);
    const [decay, rate, epsilon] = [1 - lr * weightDecay, (lr * correction2) / correction1, EPSILON * correction2];
    const { first, second } = moments;
    const numbers = hasKernels()
      ? { packed: pack(scale ?? 1, decay, rate, 1 - Math.fround(BETA1), 1 - Math.fround(BETA2), epsilon) }
      : {
          decay: weightDecay === 0 ? null : scalar(decay, "decay", lr, weightDecay),
          rate: scalar(rate, "rate", lr, steps),
          epsilon: scalar(epsilon, "epsilon", steps),
        };
    return { weight, gradient, moments: { first, second }, numbers };
  });
  const inputs = {
    updates: prepared,
    scale: scale === null ? null : scalar(scale, "scale"),
    constants: { zero: scalar(0, "zero"), beta1: scalar(BETA1, "beta1"), beta2: scalar(BETA2, "beta2") },
  };
  return { inputs, dispose: () => tf.dispose([...scalars.values(), ...packs.values()]) };
}

/** The device's part: moments change in place, and each weight's new value is the result. */
function applyUpdates({ updates, scale, constants }: UpdateInputs): tf.Tensor[] {
  return updates.map(({ weight, gradient, moments, numbers }) => {
    if ("packed" in numbers) return adamWInPlace(weight, moments, numbers.packed, gradient);
    const { decay, rate, epsilon } = numbers;
    const place = createInPlace(weight.shape);
    const decayed = decay && multiply(weight, decay);
    const scaled = scale && multiply(gradient, scale);
    writeInPlace(place, decayed ?? weight);
    decayed?.dispose(); // the update may now work in its memory
    adamInPlace(place, moments, { ...constants, rate, epsilon }, scaled ?? gradient);
    scaled?.dispose();
    const updated = readInPlace(place);
    place.dispose();
    return updated;
  });
}

function multiply(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return rawOp("Mul", { T: FLOAT }, [a, b]);
}

function freshMoments(shape: number[]): Moments {
  const [first, second] = [createInPlace(shape), createInPlace(shape)];
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
    const moments = optimizer.moments.get(path) ?? {
      ...{ first: createInPlace(shape), second: createInPlace(shape) },
      steps: 0,
    };
    setMoment(moments.first, first, shape);
    setMoment(moments.second, second, shape);
    optimizer.moments.set(path, { ...moments, steps });
  }
}
