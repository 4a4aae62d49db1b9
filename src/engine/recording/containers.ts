// Tensors in nested objects and arrays, which stages take and give: found, named, and put back into the same form.

import * as tf from "@tensorflow/tfjs-core";
import { flatten, mapTree } from "../../util/tree.ts";
import { elementType, nativeIds } from "./tape.ts";

/** The place of a tensor in a form. A class, so that no object of numbers is taken for one. */
class Slot {
  readonly slot: number;
  constructor(slot: number) {
    this.slot = slot;
  }
}

/** What a stage gave, with numbers for its tensors: `form` is the same for every run of the same stage. */
export function takeApart(container: unknown): { tensors: tf.Tensor[]; form: unknown } {
  const tensors: tf.Tensor[] = [];
  const form = mapTree<unknown>(container, (leaf) =>
    leaf instanceof tf.Tensor ? new Slot(tensors.push(leaf) - 1) : leaf,
  );
  return { tensors, form };
}

/** The form with other tensors. */
export function putTogether<Container>(form: unknown, tensors: readonly tf.Tensor[]): Container {
  return mapTree<Container>(form, (leaf) => (leaf instanceof Slot ? tensors[leaf.slot] : leaf));
}

export function tensorsIn(container: unknown): tf.Tensor[] {
  return flatten<unknown>(container).flatMap(([, leaf]) => (leaf instanceof tf.Tensor ? [leaf] : []));
}

/**
 * What a recording is found by: the names of the tensors, their element types and shapes, which of them train, which are one and
 * the same; and everything that is no tensor.
 */
export function signature(container: unknown): string {
  const leaves = flatten<unknown>(container);
  const ids = nativeIds(tensorsIn(container));
  const first = new Map<number, number>();
  let at = 0;
  return leaves
    .map(([path, leaf]) => {
      if (!(leaf instanceof tf.Tensor)) return `${path} ${JSON.stringify(leaf)}`;
      const id = ids[at++]!;
      const same = first.get(id);
      first.set(id, same ?? at);
      if (same !== undefined) return `${path} =${same}`;
      return `${path} ${elementType(leaf)}[${leaf.shape}]${leaf instanceof tf.Variable ? " trains" : ""}`;
    })
    .join("\n");
}
