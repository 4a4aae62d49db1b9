// Weights from scratch, tensor by tensor under the reference's names, drawn as its modules draw them
// (dinov2_with_windowed_attn.py _init_weights, transformer.py and ms_deform_attn.py _reset_parameters, lwdetr.py).

import type { Architecture } from "../architecture/variants.ts";
import type { NameEntry } from "../architecture/weights/entry.ts";
import { isIgnoredName, nameTable } from "../architecture/weights/table.ts";
import { fromFloat32, type HostTensor, type StateDict, size } from "../util/hostTensor.ts";
import { type Rng, rngFromSeed } from "../util/random/rng.ts";

/**
 * Draw every tensor. `keys`: the reference's names and shapes. A tensor depends on the seed and its own name only, so that
 * a part that is loaded does not change the rest. Deep copies in the reference are alike here too: the two-stage heads of
 * all groups, and the biases of the decoder's layers. Throws where a name is not in the architecture's weight table.
 */
export function initialise(keys: Map<string, number[]>, seed: number, architecture: Architecture): StateDict {
  const entries = new Map(nameTable(architecture).map((entry) => [entry.reference, entry]));
  const tensors: StateDict = new Map();
  for (const [name, shape] of keys) {
    const entry = entries.get(name);
    if (entry) tensors.set(name, draw(entry, shape, seed, architecture));
    else if (isIgnoredName(name)) tensors.set(name, { dtype: "BOOL", shape, bytes: new Uint8Array(0) });
    else throw new Error(`no weight of the network is called ${name}`);
  }
  return tensors;
}

function draw({ reference, copyOf, init }: NameEntry, shape: number[], seed: number, sampling: Sampling): HostTensor {
  const rng = rngFromSeed(seed, hash(copyOf ?? reference));
  const fill = (value: () => number) => fromFloat32(Float32Array.from({ length: size(shape) }, value), shape);
  const uniform = (bound: number) => fill(() => (2 * rng.uniform() - 1) * bound);
  switch (init.kind) {
    case "constant":
      return fill(() => init.value);
    case "normal":
      return fill(() => rng.normal());
    case "truncatedNormal":
      return fill(() => truncatedNormal(rng, 0.02));
    case "xavier":
      return uniform(Math.sqrt(6 / (shape[0]! + shape[1]!)));
    case "uniform":
      return uniform(1 / Math.sqrt(init.fanIn));
    case "offsetGrid":
      return offsetGrid(shape, sampling);
  }
}

type Sampling = Pick<Architecture, "caNheads" | "decNPoints">;

/** Normal with the given deviation, cut at an absolute value of 2 as torch's trunc_normal_ is by default. */
function truncatedNormal(rng: Rng, deviation: number): number {
  for (;;) {
    const value = rng.normal() * deviation;
    if (Math.abs(value) <= 2) return value;
  }
}

/** Every head looks in its own direction, every further point a step further. [heads * levels * points * 2]. */
function offsetGrid(shape: number[], { caNheads: heads, decNPoints: points }: Sampling): HostTensor {
  const perHead = shape[0]! / heads;
  const values = new Float32Array(shape[0]!);
  for (let head = 0; head < heads; head++) {
    const angle = (head * 2 * Math.PI) / heads;
    const direction = [Math.cos(angle), Math.sin(angle)];
    const longest = Math.max(...direction.map(Math.abs));
    for (let i = 0; i < perHead; i++) {
      const step = (Math.floor(i / 2) % points) + 1;
      values[head * perHead + i] = (direction[i % 2]! / longest) * step;
    }
  }
  return fromFloat32(values, shape);
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
