// Custom gradients and the backward pass: the only file that touches the tape of TensorFlow.js' engine.
//
// tf.customGrad computes the gradients of all inputs, frozen weights too, and tf.variableGrads keeps every intermediate
// gradient and saved activation until the whole backward pass is over. Here a gradient is computed only where it is
// needed, and both are released as soon as they have been used.

import * as tf from "@tensorflow/tfjs-core";
import { asFloat32 } from "./bf16/tensors.ts";

type Saved = tf.Tensor[];
type GradientMap = Record<string, () => tf.Tensor>;
type TapeNode = {
  id: number;
  kernelName: string;
  inputs: Record<string, tf.Tensor>;
  outputs: tf.Tensor[];
  gradient?: (dys: (tf.Tensor | null)[]) => GradientMap;
  saved?: tf.Tensor[];
};
type EngineInternals = {
  runKernelFunc(call: {
    inputs: Record<string, tf.Tensor>;
    forwardFunc: (backend: unknown, save: (tensors: Saved) => void) => tf.Tensor | tf.Tensor[];
    backwardsFunc: (dy: tf.Tensor, saved: Saved) => GradientMap;
  }): tf.Tensor | tf.Tensor[];
  startTape(): void;
  endTape(): void;
  state: { activeTape: TapeNode[] | null; gradientDepth: number; kernelDepth: number };
};

function engine(): EngineInternals {
  return tf.engine() as unknown as EngineInternals;
}

/**
 * An operation with its own gradient.
 * `forward` computes the output (off the tape) and names what the gradient needs by `save`; `backward` is given the
 * output's gradient and the saved tensors and returns one function an input. A function runs only when that input's
 * gradient is needed: frozen weights cost nothing. Every tensor that the gradient reaches must be in `inputs`.
 */
export function differentiable<Inputs extends Record<string, tf.Tensor>, Output extends tf.Tensor = tf.Tensor>(
  inputs: Inputs,
  forward: (save: (...tensors: tf.Tensor[]) => void) => tf.Tensor,
  backward: (dy: tf.Tensor, saved: Saved) => { [Key in keyof Inputs]: () => tf.Tensor },
): Output {
  return engine().runKernelFunc({
    inputs,
    forwardFunc: (_backend, save) => forward((...tensors) => save(tensors)),
    backwardsFunc: (dy, saved) => backward(dy, saved),
  }) as Output;
}

/** Compute without recording: no gradient flows through the result. (TensorFlow.js has no stopGradient.) */
export function offTape<T extends tf.Tensor | tf.Tensor[]>(compute: () => T): T {
  return engine().runKernelFunc({ inputs: {}, forwardFunc: compute, backwardsFunc: () => ({}) }) as T;
}

/** Whether what is computed now is recorded, so that its gradient may be asked for. */
export function isTaped(): boolean {
  const { gradientDepth, kernelDepth } = engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/** What was computed under a tape, and the way back through it, which can be gone once. */
export type Recording<Result> = {
  /** The caller's to dispose. */
  result: Result;
  /**
   * Carry the gradients of some results back to `leaves`, in their order: `undefined` where nothing depends on a leaf. The
   * seeds stay the caller's.
   */
  backward(leaves: tf.Tensor[], seeds: readonly (readonly [output: tf.Tensor, gradient: tf.Tensor])[]): Gradients;
  /** Free what the way back would have needed. */
  discard(): void;
};

type Gradients = (tf.Tensor | undefined)[];

/** Run `f` under a tape that is over when this returns; its gradients can be asked for later. */
export function recorded<Result extends tf.TensorContainer>(f: () => Result): Recording<Result> {
  const { result, tape } = record(() => tf.tidy(f));
  return {
    result,
    backward: (leaves, seeds) => tf.tidy(() => backpropagate(tape, leaves, seeds)),
    discard: () => releaseSaved(tape),
  };
}

/**
 * Run `f` under the tape and differentiate its loss with respect to `leaves`.
 * Returns the loss, whatever else `f` returned as `extra` (its tensors are the caller's), and a gradient a leaf in the
 * leaves' order: `undefined` where the loss does not depend on it.
 */
export function valueAndGradients<Extra extends tf.TensorContainer>(
  leaves: tf.Tensor[],
  f: () => { loss: tf.Scalar; extra: Extra },
): { loss: tf.Scalar; extra: Extra; gradients: Gradients } {
  const { result, backward } = recorded(f as () => { loss: tf.Scalar; extra: tf.TensorContainer });
  const { loss, extra } = result as { loss: tf.Scalar; extra: Extra };
  const one = tf.onesLike(loss);
  const gradients = backward(leaves, [[loss, one]]);
  one.dispose();
  return { loss, extra, gradients };
}

/**
 * Run `f` under the tape and return its output's gradient `dy` carried back to `leaves`: one a leaf, `undefined` where the
 * output does not depend on it. May run inside another function's backward pass.
 */
export function vectorJacobian(leaves: tf.Tensor[], f: () => tf.Tensor, dy: tf.Tensor): Gradients {
  return tf.tidy(() => {
    const { result, tape } = record(() => tf.tidy(f));
    return backpropagate(tape, leaves, [[result, dy]]);
  });
}

/** Run `f` with a tape of its own. The tape ends before any backward pass begins, so passes never see each other's. */
function record<T>(f: () => T): { result: T; tape: TapeNode[] } {
  const { state } = engine();
  if (state.gradientDepth !== 0) throw new Error("a gradient cannot be taken inside a taped function");
  engine().startTape();
  try {
    const result = f();
    return { result, tape: state.activeTape ?? [] };
  } catch (error) {
    releaseSaved(state.activeTape ?? []);
    throw error;
  } finally {
    engine().endTape();
    state.activeTape = null;
  }
}

function releaseSaved(tape: TapeNode[]) {
  for (const node of tape) for (const tensor of node.saved ?? []) tensor.dispose();
}

/** Walk the tape backwards; release gradients and saved tensors once they have been used. */
function backpropagate(
  tape: TapeNode[],
  leaves: tf.Tensor[],
  seeds: readonly (readonly [output: tf.Tensor, gradient: tf.Tensor])[],
): Gradients {
  const fromLeaf = new Set(leaves.map(({ id }) => id));
  const needed: boolean[] = tape.map((node) => {
    const depends = Object.values(node.inputs).some(({ id }) => fromLeaf.has(id));
    if (depends) for (const output of node.outputs) fromLeaf.add(output.id);
    return depends;
  });
  const gradients = new Map(seeds.map(([{ id }, gradient]) => [id, gradient.clone()]));
  const leafIds = new Set(leaves.map(({ id }) => id));
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i]!;
    const dys = node.outputs.map(({ id }) => gradients.get(id) ?? null);
    if (needed[i] && dys.some((dy) => dy !== null)) {
      for (const [x, dx] of inputGradients(node, dys, fromLeaf)) {
        const sum = gradients.get(x.id);
        gradients.set(x.id, sum ? added(sum, dx) : dx);
        if (sum) {
          sum.dispose();
          dx.dispose();
        }
      }
    }
    for (const { id } of node.outputs) {
      if (leafIds.has(id)) continue;
      gradients.get(id)?.dispose();
      gradients.delete(id);
    }
    releaseSaved([node]);
  }
  return leaves.map(({ id }) => gradients.get(id));
}

/** The sum of two gradients of a tensor; of two in bfloat16 it is float32, so that nothing is lost by more of them. */
function added(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.add(asFloat32(a), asFloat32(b)));
}

function inputGradients(
  node: TapeNode,
  dys: (tf.Tensor | null)[],
  fromLeaf: Set<number>,
): [x: tf.Tensor, dx: tf.Tensor][] {
  if (!node.gradient) throw new Error(`${node.kernelName} has no gradient`);
  const wanted = Object.entries(node.inputs).filter(([, { id }]) => fromLeaf.has(id));
  const dxs = tf.tidy(() => {
    const functions = node.gradient!(dys);
    return wanted.map(([name, x]) => {
      // a clone, because a gradient may be dy or a saved tensor itself, and those are released
      const dx = tf.tidy(() => functions[name]!().clone());
      if (dx.shape.join() !== x.shape.join())
        throw new Error(`gradient of ${node.kernelName}'s ${name} has shape [${dx.shape}], not [${x.shape}]`);
      return dx;
    });
  });
  return wanted.map(([, x], i) => [x, dxs[i]!]);
}
