// Which kernels a function has to name so that it computes with the same as an eager operation does. Where TensorFlow has oneDNN on (by
// default on processors with AVX-512 VNNI, AVX-VNNI or AMX), eager execution gives some operations to oneDNN's kernels
// (tensorflow/core/common_runtime/eager/mkl_eager_op_rewrite.cc); within a function as we call it nothing is rewritten.

import { type Encoded, text } from "../../util/protobuf.ts";
import { type Binding, loadBackend, type NativeTensor } from "../backend.ts";
import { graphDef, TYPES, typeValue } from "./graphDef.ts";

/** The binding with the functions that our set-up builds into it. */
export type RecordingBinding = Binding &
  Required<Pick<Binding, "opDef" | "addFunction" | "removeFunction" | "callFunction">>;

/** Undefined where the addon is another one: prebuilt, or of an older set-up. */
export function recordingBinding(): RecordingBinding | undefined {
  const { binding } = loadBackend();
  return binding.callFunction ? (binding as RecordingBinding) : undefined;
}

/** An operation as a node of a graph; `attributes` besides its own. */
export type GraphKernel = { op: string; attributes: [string, Encoded][] };

const ONEDNN: Readonly<Record<string, string>> = {
  MatMul: "_MklMatMul",
  BatchMatMulV2: "_MklBatchMatMulV2",
  Conv2D: "_MklNativeConv2D",
  Conv2DBackpropInput: "_MklNativeConv2DBackpropInput",
  Conv2DBackpropFilter: "_MklNativeConv2DBackpropFilter",
  DepthwiseConv2dNative: "_MklNativeDepthwiseConv2dNative",
  DepthwiseConv2dNativeBackpropInput: "_MklNativeDepthwiseConv2dNativeBackpropInput",
  DepthwiseConv2dNativeBackpropFilter: "_MklNativeDepthwiseConv2dNativeBackpropFilter",
};

export function plainKernel(op: string): GraphKernel {
  return { op, attributes: [] };
}

function onednnKernel(op: string): GraphKernel {
  const name = ONEDNN[op];
  return name ? { op: name, attributes: [["_kernel", text(2, "MklNameChangeOp")]] } : plainKernel(op);
}

const found = new Map<number, (op: string) => GraphKernel>();

/** The kernels of eager operations in this process, by operation and element type. */
export function eagerKernels(binding: RecordingBinding): (op: string, dtype: number) => GraphKernel {
  const onGpu = loadBackend().isUsingGpuDevice;
  return (op, dtype) => {
    if (onGpu || !ONEDNN[op]) return plainKernel(op);
    const known = found.get(dtype) ?? findKernels(binding, dtype);
    found.set(dtype, known);
    return known(op);
  };
}

/** Products of some sizes: which kernel made them shows in how they are rounded, not in each. */
const PRODUCTS = [
  { op: "MatMul", shape: [384, 384] },
  { op: "BatchMatMulV2", shape: [8, 3, 9, 9] },
  { op: "BatchMatMulV2", shape: [3, 16, 16] },
];

function findKernels(binding: RecordingBinding, dtype: number): (op: string) => GraphKernel {
  const rounded = PRODUCTS.map(({ op, shape }) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));
    const id = cast(binding, binding.createTensor(shape, TYPES.float, values), { from: TYPES.float, to: dtype });
    const eager = numbersOf(binding, binding.executeOp(op, [], [id, id], 1));
    return { op, id, eager };
  });
  const choices = [plainKernel, onednnKernel];
  const same = choices.find((kernelOf, i) =>
    rounded.every(({ op, id, eager }, j) => {
      const name = `rfdetr_kernel_${dtype}_${i}_${j}`;
      try {
        return inFunction(binding, kernelOf(op), { name, id, dtype }).equals(eager);
      } catch {
        return false; // this library has no such kernel
      }
    }),
  );
  for (const { id } of rounded) binding.deleteTensor(id);
  return same ?? plainKernel;
}

/** The product of a tensor with itself, by a function. */
function inFunction(
  binding: RecordingBinding,
  { op, attributes }: GraphKernel,
  { name, id, dtype }: { name: string; id: number; dtype: number },
): Buffer {
  const type = typeValue(dtype);
  const nodes = [
    { name: "x", op: "Placeholder", inputs: [], attributes: new Map([["dtype", type]]) },
    { name: "y", op, inputs: ["x", "x"], attributes: new Map([["T", type], ...attributes]) },
  ];
  binding.addFunction(graphDef(nodes), name, ["x"], ["y"], []);
  const made = binding.callFunction(name, Int32Array.of(id), Int32Array.of(dtype), false, false);
  return numbersOf(binding, made as NativeTensor[]);
}

function numbersOf(binding: RecordingBinding, [made]: NativeTensor[]): Buffer {
  const id = cast(binding, made!.id, { from: made!.dtype, to: TYPES.float });
  const numbers = binding.tensorDataSync(id);
  binding.deleteTensor(id);
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** The tensor with elements of another type; the tensor itself is used up. */
function cast(binding: RecordingBinding, id: number, { from, to }: { from: number; to: number }): number {
  if (from === to) return id;
  const [made] = binding.executeOp("Cast", [{ name: "DstT", type: Number(binding.TF_ATTR_TYPE), value: to }], [id], 1);
  binding.deleteTensor(id);
  return made!.id;
}
