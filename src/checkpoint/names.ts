// Between tensors under the reference's names and layout and the leaves of our weight tree, both ways, by the weight table.

import type { Architecture } from "../architecture/variants.ts";
import type { NameEntry } from "../architecture/weights/entry.ts";
import { leafShapes, nameTable, sliceShape, UNUSED_BUFFER } from "../architecture/weights/table.ts";
import { UserError } from "../util/errors.ts";
import { fromFloat32, type Leaf, type StateDict, size, toFloat32 } from "../util/hostTensor.ts";

/**
 * Our leaves by path from tensors under the reference's names.
 * Throws a UserError when a tensor is missing or has another shape than the architecture says.
 */
export function toLeaves(tensors: StateDict, architecture: Architecture): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  for (const [path, shape] of leafShapes(architecture))
    leaves.set(path, { shape, data: new Float32Array(size(shape)) });
  for (const entry of nameTable(architecture)) {
    const tensor = tensors.get(entry.reference);
    if (!tensor) throw new UserError(`The weights lack the tensor ${entry.reference}.`);
    if (tensor.shape.join() !== entry.shape.join())
      throw new UserError(
        `The weights' tensor ${entry.reference} has the shape [${tensor.shape}]; this architecture needs [${entry.shape}].`,
      );
    permute(entry, toFloat32(tensor), leaves.get(entry.path)!.data, "toOurs");
  }
  return leaves;
}

/** Tensors under the reference's names and in its layout and order, from our leaves by path. */
export function fromLeaves(leaves: Map<string, Leaf>, architecture: Architecture): StateDict {
  const tensors: StateDict = new Map([[UNUSED_BUFFER, { dtype: "BOOL", shape: [0, 0], bytes: new Uint8Array(0) }]]);
  const arrays = new Map<string, Float32Array>();
  for (const entry of nameTable(architecture)) {
    const leaf = leaves.get(entry.path);
    if (!leaf) throw new Error(`the weight tree lacks ${entry.path}`);
    let data = arrays.get(entry.reference);
    if (!data) {
      data = new Float32Array(size(entry.shape));
      arrays.set(entry.reference, data);
      tensors.set(entry.reference, fromFloat32(data, entry.shape));
    }
    permute(entry, data, leaf.data, "toReference");
  }
  return tensors;
}

/** Copy between a reference tensor and our leaf's slice, in one direction or the other. */
function permute(entry: NameEntry, reference: Float32Array, ours: Float32Array, direction: "toOurs" | "toReference") {
  const shape = sliceShape(entry);
  const length = size(shape);
  const offset = (entry.stack?.index ?? 0) * length;
  const start = entry.rows ? entry.rows.start * size(entry.shape.slice(1)) : 0;
  const [a = 1, b = 1, c = 1, d = 1] = entry.rows ? [entry.rows.count, ...entry.shape.slice(1)] : entry.shape;
  const copy =
    direction === "toOurs"
      ? (i: number, j: number) => {
          ours[offset + j] = reference[start + i]!;
        }
      : (i: number, j: number) => {
          reference[start + i] = ours[offset + j]!;
        };
  if (entry.layout === "same") {
    for (let i = 0; i < length; i++) copy(i, i);
    return;
  }
  // strides of our layout along the reference's axes
  const [sa, sb, sc, sd] = {
    linear: [1, a, 0, 0],
    conv: [1, a, d * b * a, b * a],
    convTranspose: [c * d * b, 1, d * b, b],
  }[entry.layout] as [number, number, number, number];
  let i = 0;
  for (let ia = 0; ia < a; ia++)
    for (let ib = 0; ib < b; ib++)
      for (let ic = 0; ic < c; ic++) for (let id = 0; id < d; id++) copy(i++, ia * sa + ib * sb + ic * sc + id * sd);
}
