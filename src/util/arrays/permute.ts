// Reordering the axes of an array in host memory.

import { type Leaf, size } from "../hostTensor.ts";

/** Reorder axes: axis i of the result is axis `order[i]` of the argument. */
export function permute(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  order: readonly number[],
): Leaf {
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
