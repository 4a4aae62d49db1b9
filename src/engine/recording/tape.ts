// What a stage does on the device, written down while it is done: below the kernels of tfjs-node, at its binding, so that gradients,
// kernels made of several operations and tensors that share memory are all seen as what they run.

import type * as tf from "@tensorflow/tfjs-core";
import { type Attribute, type Binding, loadBackend, type NativeTensor, type NodeBackend } from "../backend.ts";

/** An operation that ran; inputs and outputs by the binding's numbers, which are never given twice. */
export type TapeNode = { op: string; attributes: Attribute[]; inputs: number[]; outputs: NativeTensor[] };

/** Numbers that came from the host; where all are the same, `values` holds one of them. */
export type TapeConstant = { dtype: number; shape: number[]; values: tf.TypedArray; same: boolean };

/** What ran between two looks of the host: what it was given, and numbers of what it gave in what form. */
type TapePart = { inputs: NativeTensor[]; nodes: TapeNode[]; results: number[]; form: unknown };

export type Tape = {
  parts: TapePart[];
  constants: Map<number, TapeConstant>;
  /** Why this cannot be replayed; the first reason. */
  problem: string | undefined;
};

export function emptyTape(): Tape {
  return { parts: [], constants: new Map(), problem: undefined };
}

/** Numbers of the tensors, which are on the device afterwards. */
export function nativeIds(tensors: tf.Tensor[]): number[] {
  return loadBackend().getInputTensorIds(tensors);
}

/**
 * Run a part of a stage as ever, and write it down on the tape. `inputs`: all tensors from outside that it may read; `takeApart`:
 * the tensors in what it gives, and the form they are in.
 */
export function runOnTape<Result>(
  tape: Tape,
  {
    inputs,
    takeApart,
  }: { inputs: tf.Tensor[]; takeApart: (result: Result) => { tensors: tf.Tensor[]; form: unknown } },
  run: () => Result,
): Result {
  const backend = loadBackend();
  const ids = nativeIds(inputs); // now: what is put on the device later is taken for a constant
  const given = inputs.map((tensor, i) => ({ id: ids[i]!, dtype: elementType(tensor), shape: tensor.shape }));
  const part: TapePart = { inputs: given, nodes: [], results: [], form: null };
  tape.parts.push(part);
  const stop = listen(backend, tape, part.nodes);
  try {
    const result = run();
    const { tensors, form } = takeApart(result);
    Object.assign(part, { results: nativeIds(tensors), form });
    return result;
  } finally {
    stop();
  }
}

/** TensorFlow's element type: the backend's own note, because tfjs calls resources strings. */
export function elementType({ dataId }: tf.Tensor): number {
  return loadBackend().tensorMap.get(dataId).dtype;
}

/** Write down what goes through the binding until the returned function is called. */
function listen(backend: NodeBackend, tape: Tape, nodes: TapeNode[]): () => void {
  const { binding } = backend;
  const fail = (reason: string) => {
    tape.problem ??= reason;
  };
  const heard: Partial<Pick<Binding, "createTensor" | "executeOp" | "tensorDataSync">> = {
    createTensor(shape, dtype, values) {
      const id = binding.createTensor(shape, dtype, values);
      tape.constants.set(id, constantOf(dtype, shape, values));
      return id;
    },
    executeOp(op, attributes, ids, outputs) {
      const made = binding.executeOp(op, attributes, ids, outputs);
      nodes.push({ op, attributes: [...attributes], inputs: [...ids], outputs: made });
      return made;
    },
    tensorDataSync(id) {
      fail("it reads numbers from the device");
      return binding.tensorDataSync(id);
    },
  };
  const made = new WeakSet<object>();
  const { move, getInputTensorIds } = backend;
  backend.binding = Object.create(binding, Object.getOwnPropertyDescriptors(heard)) as Binding; // its own are read-only
  backend.move = function (dataId, ...rest) {
    made.add(dataId);
    move.call(this, dataId, ...rest);
  };
  backend.getInputTensorIds = function (tensors) {
    for (const { dataId, shape } of tensors) {
      if (dataId && !made.has(dataId) && this.tensorMap.get(dataId).values != null)
        fail(`it reads a tensor [${shape}] from outside that is not among its inputs`);
    }
    return getInputTensorIds.call(this, tensors);
  };
  return () => {
    Object.assign(backend, { binding, move, getInputTensorIds });
  };
}

function constantOf(dtype: number, shape: number[], values: tf.TypedArray): TapeConstant {
  const same = values.length > 1 && values.every((value) => value === values[0]);
  return { dtype, shape: [...shape], values: values.slice(0, same ? 1 : undefined), same };
}
