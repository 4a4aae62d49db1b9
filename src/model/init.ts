// Weights from scratch, tensor by tensor under the reference's names, drawn as its modules draw them
// (dinov2_with_windowed_attn.py _init_weights, transformer.py and ms_deform_attn.py _reset_parameters, lwdetr.py).

import type { Architecture } from "../architecture/variants.ts";
import { fromFloat32, type HostTensor, type StateDict, size } from "../util/hostTensor.ts";
import { type Rng, rngFromSeed } from "../util/rng.ts";

type Sampling = Pick<Architecture, "caNheads" | "decNPoints">;

/** Initial bias of the class heads: every class starts at a probability of 0.01. */
const PRIOR_BIAS = -Math.log(99);

/**
 * Draw every tensor. `keys`: the reference's names and shapes. A tensor depends on the seed and its own name only, so that
 * a part that is loaded does not change the rest. Deep copies in the reference are alike here too: the two-stage heads of
 * all groups, and the biases of the decoder's layers.
 */
export function initialise(keys: Map<string, number[]>, seed: number, sampling: Sampling): StateDict {
  const tensors: StateDict = new Map();
  for (const [name, shape] of keys) tensors.set(name, draw(name, shape, keys, seed, sampling));
  return tensors;
}

function draw(
  name: string,
  shape: number[],
  keys: Map<string, number[]>,
  seed: number,
  sampling: Sampling,
): HostTensor {
  if (name === "_kp_active_mask") return { dtype: "BOOL", shape, bytes: new Uint8Array(0) };
  const original = copiedFrom(name, shape);
  const rng = rngFromSeed(seed, hash(original));
  const fill = (value: (i: number) => number) =>
    fromFloat32(
      Float32Array.from({ length: size(shape) }, (_, i) => value(i)),
      shape,
    );
  const constant = (value: number) => fill(() => value);
  const uniform = (bound: number) => fill(() => (2 * rng.uniform() - 1) * bound);
  const xavier = () => uniform(Math.sqrt(6 / (shape[0]! + shape[1]!)));
  const isBias = name.endsWith("bias");
  // fan-in of the layer this weight or bias belongs to
  const fanIn = () => size((isBias ? keys.get(name.replace(/bias$/, "weight"))! : shape).slice(1));
  const torchDefault = () => uniform(1 / Math.sqrt(fanIn()));

  if (/norm|\.bn\.|projector\.stages\.\d+\.1\./.test(name)) return constant(isBias ? 0 : 1);
  if (name.startsWith("backbone.0.encoder.")) {
    if (name.endsWith("lambda1")) return constant(1);
    if (isBias || name.endsWith("mask_token")) return constant(0);
    return fill(() => truncatedNormal(rng, 0.02));
  }
  if (name.startsWith("backbone.0.projector.")) return torchDefault();
  if (name === "refpoint_embed.weight") return constant(0);
  if (name === "query_feat.weight") return fill(() => rng.normal());
  if (name.includes("class_embed")) return isBias ? constant(PRIOR_BIAS) : torchDefault();
  if (name.includes("bbox_embed")) return name.includes("layers.2") ? constant(0) : torchDefault();
  if (name.includes("sampling_offsets")) return isBias ? offsetGrid(shape, sampling) : constant(0);
  if (name.includes("attention_weights")) return constant(0);
  if (!isBias && !name.endsWith("in_proj_bias")) return xavier();
  if (/self_attn|value_proj|output_proj/.test(name)) return constant(0);
  return torchDefault();
}

/** The tensor that the reference makes this one from by a deep copy, or itself. */
function copiedFrom(name: string, shape: number[]): string {
  const head = name.replace(/^transformer\.enc_out_(class|bbox)_embed\.\d+\./, "$1_embed.");
  return shape.length === 1 ? head.replace(/decoder\.layers\.\d+/, "decoder.layers.0") : head;
}

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
