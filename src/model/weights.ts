// Between a weight tree on the device and its leaves in host memory.

import * as tf from "@tensorflow/tfjs-core";
import type { Leaf } from "../util/hostTensor.ts";
import { flatten } from "../util/tree.ts";
import type { RfdetrWeights } from "./rfdetr.ts";

/**
 * Build the tree from leaves by path; `trains` says which become variables. The tree is the caller's to dispose.
 * Numbers in a path are array indices.
 */
export function uploadWeights(leaves: Map<string, Leaf>, trains: (path: string) => boolean): RfdetrWeights {
  const root: Record<string, unknown> = {};
  for (const [path, { shape, data }] of leaves) {
    const tensor = tf.tensor(data, shape);
    put(root, path.split("."), trains(path) ? tf.variable(tensor) : tf.keep(tensor));
    if (trains(path)) tensor.dispose();
  }
  return root as RfdetrWeights;
}

function put(branch: Record<string, unknown>, [key, ...rest]: string[], leaf: tf.Tensor): void {
  if (rest.length === 0) {
    branch[key!] = leaf;
    return;
  }
  branch[key!] ??= /^\d+$/.test(rest[0]!) ? [] : {};
  put(branch[key!] as Record<string, unknown>, rest, leaf);
}

/** Read every leaf of the tree back to host memory. */
export async function downloadWeights(weights: RfdetrWeights): Promise<Map<string, Leaf>> {
  const leaves = new Map<string, Leaf>();
  for (const [path, tensor] of flatten<tf.Tensor>(weights))
    leaves.set(path, { shape: tensor.shape, data: Float32Array.from(await tensor.data()) });
  return leaves;
}
