// Arithmetic on weights in host memory that is done once, when a graph is written, instead of in every run of it.

import { bicubicWeights } from "../../util/bicubic.ts";
import { size } from "../../util/hostTensor.ts";
import type { Constant } from "./graph.ts";

/** Reorder axes: axis i of the result is axis `order[i]` of the argument. */
export function permute({ shape, data }: Constant, order: readonly number[]): Constant {
  const strides = shape.map((_, axis) => size(shape.slice(axis + 1)));
  const to = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const out = new Float32Array(data.length);
  const at = new Array<number>(to.length).fill(0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[from]!;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++at[axis]! < to[axis]!) break;
      from -= steps[axis]! * to[axis]!;
      at[axis] = 0;
    }
  }
  return { shape: to, data: out };
}

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

/** Antialiased bicubic resize of a square grid. x: [side * side, channels] -> [to * to, channels]. */
export function resizeGrid({ shape, data }: Constant, to: number): Constant {
  const [cells, channels] = shape as [number, number];
  const side = Math.sqrt(cells);
  if (side === to) return { shape, data };
  const weights = bicubicWeights(side, to);
  const half = new Float64Array(to * side * channels); // rows resized, columns not yet
  for (let y = 0; y < to; y++)
    for (let j = 0; j < side; j++) {
      const w = weights[y * side + j]!;
      const [target, source] = [y * side * channels, j * side * channels];
      if (w !== 0) for (let i = 0; i < side * channels; i++) half[target + i]! += w * data[source + i]!;
    }
  const sums = new Float64Array(to * to * channels);
  for (let y = 0; y < to; y++)
    for (let x = 0; x < to; x++)
      for (let j = 0; j < side; j++) {
        const w = weights[x * side + j]!;
        const [target, source] = [(y * to + x) * channels, (y * side + j) * channels];
        if (w !== 0) for (let c = 0; c < channels; c++) sums[target + c]! += w * half[source + c]!;
      }
  return { shape: [to * to, channels], data: Float32Array.from(sums) };
}
