// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019), with the numbers of torch.optim.AdamW, and clipping by
// the global norm. One operation of our own for all weights, or six of
// TensorFlow's a weight.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp } from "../../engine/backend.ts";
import { hasKernels } from "../../engine/ownKernels.ts";
import { EAGER, type Recorder } from "../../engine/recording/recorder.ts";
import {
  adamInPlace,
  adamWInPlace,
  createInPlace,
  holdInPlace,
  readInPlace,
  type WeightInPlace,
  writeInPlace,
} from "../../ops/inPlace.ts";

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

/** An update of one weight: `decay` is what the weight is multiplied by first, null where it has no decay. */
type PreparedUpdate = WeightInPlace &
  Pick<Update, "weight" | "lr" | "weightDecay"> &
  Pick<Moments, "steps"> & { decay: number | null; rate: number; epsilon: number };

/** The same with numbers on the device, for TensorFlow's own operations. `scale`: what every gradient is multiplied by first. */
type UpdateInputs = {
  updates: (WeightInPlace & { decay: tf.Scalar | null; rate: tf.Scalar; epsilon: tf.Scalar })[];
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
  if (updates.length === 0) return;
  const prepared = updates.map((update) => prepare(optimizer, update));
  const updated = hasKernels() ? updateAtOnce(prepared, scale) : await updateOneByOne(prepared, scale, recorder);
  for (const [i, { weight }] of prepared.entries()) weight.assign(updated[i]!);
  tf.dispose(updated);
}

/** The host's part of an update: counts it, and makes moments that are not there yet. */
function prepare(optimizer: AdamW, { path, weight, gradient, lr, weightDecay }: Update): PreparedUpdate {
  const moments = optimizer.moments.get(path) ?? freshMoments(weight.shape);
  optimizer.moments.set(path, moments);
  const steps = ++moments.steps;
  // The library computes with the float32 nearest to each beta; the corrections must belong to the same numbers.
  const correction1 = 1 - Math.fround(BETA1) ** steps;
  const correction2 = Math.sqrt(1 - Math.fround(BETA2) ** steps);
  const { first, second } = moments;
  return {
    ...{ weight, gradient, moments: { first, second }, lr, weightDecay, steps },
    decay: weightDecay === 0 ? null : 1 - lr * weightDecay,
    rate: (lr * correction2) / correction1,
    epsilon: EPSILON * correction2,
  };
}

/** By a kernel of our own: a pass over memory that TensorFlow does not know of, which a function could not keep in order. */
function updateAtOnce(updates: readonly PreparedUpdate[], scale: number | null): tf.Tensor[] {
  const betas = [1 - Math.fround(BETA1), 1 - Math.fround(BETA2)] as const;
  const numbers = updates.map(({ decay, rate, epsilon }) => [scale ?? 1, decay ?? 1, rate, ...betas, epsilon]);
  const packed = tf.tensor2d(numbers);
  const updated = adamWInPlace(updates, packed);
  packed.dispose();
  return updated;
}

/** By TensorFlow's own operations, recorded as a stage. */
async function updateOneByOne(
  updates: readonly PreparedUpdate[],
  scale: number | null,
  recorder: Recorder,
): Promise<tf.Tensor[]> {
  const scalars = new Map<string, tf.Scalar>();
  // One for each way to come to a number, not for each number: so the same inputs share a tensor in every step.
  const scalar = (value: number, ...from: (string | number)[]) => {
    const known = scalars.get(from.join()) ?? tf.scalar(value);
    scalars.set(from.join(), known);
    return known;
  };
  const inputs = {
    updates: updates.map(({ weight, gradient, moments, lr, weightDecay, steps, ...numbers }) => ({
      ...{ weight, gradient, moments },
      decay: numbers.decay === null ? null : scalar(numbers.decay, "decay", lr, weightDecay),
      rate: scalar(numbers.rate, "rate", lr, steps),
      epsilon: scalar(numbers.epsilon, "epsilon", steps),
    })),
    scale: scale === null ? null : scalar(scale, "scale"),
    constants: { zero: scalar(0, "zero"), beta1: scalar(BETA1, "beta1"), beta2: scalar(BETA2, "beta2") },
  };
  const updated = await recorder.chain("update").part(inputs, () => applyUpdates(inputs));
  tf.dispose([...scalars.values()]);
  return updated;
}
/** The device's part: moments change in place, and each weight's new value is the result. */
function applyUpdates({ updates, scale, constants }: UpdateInputs): tf.Tensor[] {
  return updates.map(({ weight, gradient, moments, decay, rate, epsilon }) => {
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
  const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
  return { first: hold(zeros, shape), second: hold(zeros, shape), steps: 0 };
}

function hold(values: Float32Array, shape: number[]): tf.Tensor {
  const tensor = tf.tensor(values, shape, "float32");
  const place = holdInPlace(tensor);
  tensor.dispose();
  return place;
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
    forget(optimizer, path);
    optimizer.moments.set(path, { first: hold(first, shape), second: hold(second, shape), steps });
  }
}
