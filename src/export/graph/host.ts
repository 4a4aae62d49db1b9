// Arithmetic on weights in host memory that is done once, when a graph is written, instead of in every run of it.

import { size } from "../../util/hostTensor.ts";
import type { Constant } from "./graph.ts";

/** Multiply each column (the last axis) by its factor. */
export function scaleColumns({ shape, data }: Constant, factor: (column: number) => number): Constant {
  const columns = shape.at(-1)!;
  return { shape, data: data.map((value, i) => value * factor(i % columns)) };
}

/** Put matrices (or vectors) side by side on their last axis. */
export function joinColumns(...parts: Constant[]): Constant {
  const rows = size(parts[0]!.shape.slice(0, -1));
  const widths = parts.map(({ shape }) => shape.at(-1)!);
  const total = widths.reduce((a, b) => a + b, 0);
  const data = new Float32Array(rows * total);
  let offset = 0;
  for (const [i, part] of parts.entries()) {
    const width = widths[i]!;
    for (let row = 0; row < rows; row++)
      data.set(part.data.subarray(row * width, (row + 1) * width), row * total + offset);
    offset += width;
  }
  return { shape: [...parts[0]!.shape.slice(0, -1), total], data };
}

/** Some entries of the leading axis. */
export function rows({ shape, data }: Constant, from: number, to: number): Constant {
  const width = size(shape.slice(1));
  return { shape: [to - from, ...shape.slice(1)], data: data.subarray(from * width, to * width) };
}

/** x: [rows, in], weight: [in, out], bias: [out] -> [rows, out]. */
export function affine(x: Constant, weight: Constant, bias: Constant): Constant {
  const [count, input] = x.shape as [number, number];
  const out = weight.shape[1]!;
  const data = new Float32Array(count * out);
  const sums = new Float64Array(out);
  for (let row = 0; row < count; row++) {
    sums.set(bias.data);
    for (let k = 0; k < input; k++) {
      const value = x.data[row * input + k]!;
      const from = k * out;
      for (let column = 0; column < out; column++) sums[column]! += value * weight.data[from + column]!;
    }
    data.set(sums, row * out);
  }
  return { shape: [count, out], data };
}
