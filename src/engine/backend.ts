// The one place that touches a TensorFlow.js backend: loads it, and calls any TensorFlow operation by name.

import { createRequire } from "node:module";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../util/errors.ts";
import { setupInvocation, setupWith } from "./libtensorflow.ts";
import { ownAddon } from "./ownAddon.ts";

/** An operation's attribute as the binding takes it; `type` is one of its own kinds. */
export type Attribute = { name: string; type: number; value: unknown };

/** A tensor of the binding; `dtype` is TensorFlow's number of the element type. */
export type NativeTensor = { id: number; dtype: number; shape: number[] };

/** The addon below the backend, which knows tensors by number. What recording needs is there where our set-up built it. */
export type Binding = Record<string, number | string> & { TF_Version: string } & {
  createTensor(shape: number[], dtype: number, values: tf.TypedArray): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): tf.TypedArray;
  executeOp(name: string, attributes: Attribute[], ids: number[], outputs: number): NativeTensor[];
  opDef?(name: string): Uint8Array;
  addFunction?(graph: Uint8Array, name: string, inputs: string[], outputs: string[], effects: string[]): void;
  removeFunction?(name: string): void;
  callFunction?(
    name: string,
    ids: Int32Array,
    types: Int32Array,
    xla: boolean,
    background: boolean,
  ): NativeTensor[] | Promise<NativeTensor[]>;
};

/** The parts of tfjs-node's backend class that we rely on. */
export type NodeBackend = {
  binding: Binding;
  isGPUPackage: boolean;
  isUsingGpuDevice: boolean;
  /** Puts tensors on the device whose values are still on the host. */
  getInputTensorIds(tensors: tf.Tensor[]): number[];
  createOutputTensor(metadata: NativeTensor): tf.Tensor;
  /** What is known of a tensor's data; `values` until its first use. */
  tensorMap: {
    get(dataId: object): { values: unknown; dtype: number };
    set(dataId: object, data: NativeTensor & { values: null; refCount: number }): void;
  };
  move(dataId: object, ...rest: unknown[]): void;
  readSync(dataId: object): tf.TypedArray;
};

let loaded: NodeBackend | undefined;

/**
 * Load the native backend into this process (once; later calls return at once). Synchronous and silent: logging of the
 * library below errors is off.
 *
 * @throws UserError when the addon or its library is missing or cannot be loaded, with the command that fixes it
 */
export function loadBackend(): NodeBackend {
  if (loaded) return loaded;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
  // tfjs-node 4.22.0 calls two functions that Node 22 warns of and Node 23 removed.
  const legacy = util as unknown as Record<string, unknown>;
  legacy.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  legacy.isArray = Array.isArray;
  const require = createRequire(import.meta.url);
  try {
    quietly(() => {
      const node = require("@tensorflow/tfjs-node-gpu") as { backend(): unknown };
      loaded = node.backend() as NodeBackend;
    });
  } catch (cause) {
    throw engineError(cause);
  }
  return loaded as unknown as NodeBackend;
}

/** Load without the two lines that libtensorflow writes in every process at any log level; all else still comes out. */
function quietly(load: () => void): void {
  const addon = ownAddon(); // before TensorFlow starts threads: they take no signals because of it
  const capture = process.env.TF_CPP_MIN_LOG_LEVEL === "0" ? undefined : addon;
  const caught = capture?.begin();
  try {
    load();
  } finally {
    const lines = caught && capture ? capture.end().split(/(?<=\n)/) : [];
    const noise = /All log messages before absl::InitializeLog|oneDNN custom operations are on/;
    process.stderr.write(lines.filter((line) => !noise.test(line)).join(""));
  }
}

/** Whether this process has loaded the engine; from then on its device is fixed. */
export function isBackendLoaded(): boolean {
  return loaded !== undefined;
}

const ENGINE = "engine";

/** Whether an error says that the engine has to be set up (again). */
export function isEngineError(error: unknown): boolean {
  return error instanceof UserError && error.code === ENGINE;
}

function engineError(cause: unknown): UserError {
  const { message, code } = cause as NodeJS.ErrnoException;
  if (code === "MODULE_NOT_FOUND" || message.includes("can not be found at path")) {
    return new UserError("The TensorFlow engine is not set up yet.", {
      hint: `Run: ${setupInvocation()}`,
      code: ENGINE,
      cause,
    });
  }
  const reason = message.split("\n")[0];
  if (message.includes("cannot open shared object file")) {
    const hint = `Its files were moved or deleted. Run: ${setupInvocation()}`;
    return new UserError(`The TensorFlow engine cannot be loaded: ${reason}`, { hint, code: ENGINE, cause });
  }
  const hint = `Run: ${setupWith("--force")}   (rfdetr-train doctor says what is there)`;
  return new UserError(`The TensorFlow engine cannot be loaded: ${reason}`, { hint, code: ENGINE, cause });
}

/** Value of an operation's attribute. Element types are given as `{ type: "float" }`, shapes as `{ shape }`. */
export type AttributeValue =
  | number
  | boolean
  | string
  | { float: number }
  | { type: "float" | "bfloat16" | "int32" | "int64" | "bool" }
  | { shape: number[] }
  | { ints: number[] };

/**
 * Run one TensorFlow operation by its name. No gradient: call it inside a custom gradient or off the tape.
 * Output element types follow TensorFlow; the result is tracked by `tf.tidy` like any tensor.
 */
export function rawOp(name: string, attributes: Record<string, AttributeValue>, inputs: tf.Tensor[]): tf.Tensor {
  return rawOps(name, attributes, inputs, 1)[0]!;
}

/** As `rawOp`, for an operation with several outputs. */
export function rawOps(
  name: string,
  attributes: Record<string, AttributeValue>,
  inputs: tf.Tensor[],
  outputs: number,
): tf.Tensor[] {
  const backend = loadBackend();
  const ids = backend.getInputTensorIds(inputs);
  return backend.binding.executeOp(name, encode(backend, attributes), ids, outputs).map(outputTensor);
}

/** A tensor of the binding as one of tfjs. */
export function outputTensor(made: NativeTensor): tf.Tensor {
  return made.dtype === BFLOAT16 ? bfloat16Tensor(made) : loadBackend().createOutputTensor(made);
}

/** TensorFlow's number of the element type bfloat16, which tfjs does not know. */
const BFLOAT16 = 14;

/** tfjs' functions refuse it, because it is called a tensor of strings, as resources are; the binding refuses to read it. */
function bfloat16Tensor(made: NativeTensor): tf.Tensor {
  const dataId = {};
  loadBackend().tensorMap.set(dataId, { ...made, values: null, refCount: 1 });
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape: made.shape, dtype: "string" });
}

/** Whether a tensor's elements are bfloat16. */
export function isBfloat16({ dtype, dataId }: tf.Tensor): boolean {
  return dtype === "string" && loadBackend().tensorMap.get(dataId).dtype === BFLOAT16;
}

/**
 * The values of a tensor, read in the middle of a step. The native backend computes eagerly, so nothing is gained by an
 * asynchronous read there, and a taped function cannot await. Used once a step, for the matcher's costs.
 */
export function readNow(tensor: tf.Tensor): tf.TypedArray {
  return loadBackend().readSync(tensor.dataId);
}

function encode(backend: NodeBackend, attributes: Record<string, AttributeValue>): Attribute[] {
  const { binding } = backend;
  const types = {
    float: "TF_FLOAT",
    bfloat16: "TF_BFLOAT16",
    int32: "TF_INT32",
    int64: "TF_INT64",
    bool: "TF_BOOL",
  } as const;
  const kind = (name: string) => (name === "TF_BFLOAT16" ? BFLOAT16 : (binding[name] as number));
  return Object.entries(attributes).map(([name, value]) => {
    if (typeof value === "number") return { name, type: kind("TF_ATTR_INT"), value };
    if (typeof value === "boolean") return { name, type: kind("TF_ATTR_BOOL"), value };
    if (typeof value === "string") return { name, type: kind("TF_ATTR_STRING"), value };
    if ("float" in value) return { name, type: kind("TF_ATTR_FLOAT"), value: value.float };
    if ("type" in value) return { name, type: kind("TF_ATTR_TYPE"), value: kind(types[value.type]) };
    if ("shape" in value) return { name, type: kind("TF_ATTR_SHAPE"), value: value.shape };
    return { name, type: kind("TF_ATTR_INT"), value: value.ints };
  });
}
