// Between tensors under the reference's names and layout and the leaves of our weight tree, both ways, by the weight table.

import type { Architecture } from "../architecture/variants.ts";
import { type NameEntry, OUR_AXES } from "../architecture/weights/entry.ts";
import { leafShapes, nameTable, sliceShape, UNUSED_BUFFER } from "../architecture/weights/table.ts";
import { permute } from "../util/arrays/permute.ts";
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
    copy(entry, toFloat32(tensor), leaves.get(entry.path)!.data, "toOurs");
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
    copy(entry, data, leaf.data, "toReference");
  }
  return tensors;
}

/** Copy between a reference tensor and our leaf's slice, in one direction or the other. */
function copy(entry: NameEntry, reference: Float32Array, ours: Float32Array, direction: "toOurs" | "toReference") {
  const { layout, stack, rows } = entry;
  const shape = sliceShape(entry);
  const length = size(shape);
  const offset = (stack?.index ?? 0) * length;
  const start = rows ? rows.start * size(entry.shape.slice(1)) : 0;
  const theirs = reference.subarray(start, start + length);
  const mine = ours.subarray(offset, offset + length);
  if (layout === "same") {
    if (direction === "toOurs") mine.set(theirs);
    else theirs.set(mine);
    return;
  }
  const axes = OUR_AXES[layout];
  const back = axes.map((_, axis) => axes.indexOf(axis));
  const onDisk = back.map((axis) => shape[axis]!);
  if (direction === "toOurs") mine.set(permute({ shape: onDisk, data: theirs }, axes).data);
  else theirs.set(permute({ shape, data: mine }, back).data);
}
