// The weights of the decoder: its layers, the two-stage proposals, the queries.

import type { Architecture } from "../variants.ts";
import { inPart, type Line, linearEntries, type NameEntry, normEntries, tensorEntry, XAVIER, ZEROS } from "./entry.ts";

/** The two-stage proposals have the learning rate of what is no decoder, as in the reference. */
export function decoderWeights(architecture: Architecture): NameEntry[] {
  const { hiddenDim: dim, decLayers, groupDetr: of } = architecture;
  const groups = Array.from({ length: of }, (_, index) => ({ index, of }));
  const locate = "transformer.decoder.ref_point_head.layers";
  return [
    ...inPart({ name: "decoder" }, [
      ...Array.from({ length: decLayers }, (_, i) => i).flatMap((i) => layer(i, architecture)),
      ...normEntries("decoder.norm", "transformer.decoder.norm", dim),
      ...linearEntries("decoder.referencePointHead.0", `${locate}.0`, [dim, 2 * dim], { weight: XAVIER }),
      ...linearEntries("decoder.referencePointHead.1", `${locate}.1`, [dim, dim], { weight: XAVIER }),
    ]),
    ...inPart({ name: "rest" }, [
      ...groups.flatMap((stack) =>
        linearEntries("decoder.twoStage.output", `transformer.enc_output.${stack.index}`, [dim, dim], {
          weight: XAVIER,
          stack,
        }),
      ),
      ...groups.flatMap((stack) =>
        normEntries("decoder.twoStage.norm", `transformer.enc_output_norm.${stack.index}`, dim, { stack }),
      ),
    ]),
  ];
}

export function queryWeights({ hiddenDim, groupDetr, numQueries }: Architecture): Line[] {
  const queries = groupDetr * numQueries;
  return [
    tensorEntry("decoder.queries.referencePoints", "refpoint_embed.weight", [queries, 4], ZEROS),
    tensorEntry("decoder.queries.features", "query_feat.weight", [queries, hiddenDim], { kind: "normal" }),
  ];
}

/** In the reference the layers are deep copies of the first one whose matrices are drawn again: their biases are alike. */
function layer(i: number, architecture: Architecture): Line[] {
  const { hiddenDim: dim, dimFeedforward, caNheads, projectorScale, decNPoints } = architecture;
  const points = caNheads * projectorScale.length * decNPoints;
  const path = `decoder.layers.${i}`;
  const reference = `transformer.decoder.layers.${i}`;
  const drawn = { weight: XAVIER, bias: ZEROS };
  const constant = { weight: ZEROS, bias: ZEROS };
  const entries = [
    ...packed(`${path}.selfAttention`, `${reference}.self_attn`, dim),
    ...linearEntries(`${path}.selfAttention.output`, `${reference}.self_attn.out_proj`, [dim, dim], drawn),
    ...normEntries(`${path}.norm1`, `${reference}.norm1`, dim),
    ...linearEntries(
      `${path}.crossAttention.samplingOffsets`,
      `${reference}.cross_attn.sampling_offsets`,
      [2 * points, dim],
      {
        weight: ZEROS,
        bias: { kind: "offsetGrid" },
      },
    ),
    ...linearEntries(
      `${path}.crossAttention.attentionWeights`,
      `${reference}.cross_attn.attention_weights`,
      [points, dim],
      constant,
    ),
    ...linearEntries(`${path}.crossAttention.value`, `${reference}.cross_attn.value_proj`, [dim, dim], drawn),
    ...linearEntries(`${path}.crossAttention.output`, `${reference}.cross_attn.output_proj`, [dim, dim], drawn),
    ...linearEntries(`${path}.linear1`, `${reference}.linear1`, [dimFeedforward, dim], { weight: XAVIER }),
    ...linearEntries(`${path}.linear2`, `${reference}.linear2`, [dim, dimFeedforward], { weight: XAVIER }),
    ...normEntries(`${path}.norm2`, `${reference}.norm2`, dim),
    ...normEntries(`${path}.norm3`, `${reference}.norm3`, dim),
  ];
  return entries.map((entry) =>
    entry.shape.length > 1
      ? entry
      : { ...entry, copyOf: entry.reference.replace(reference, "transformer.decoder.layers.0") },
  );
}

/** Queries, keys and values, which the reference packs into one tensor. */
function packed(path: string, reference: string, dim: number): Line[] {
  const rows = ["query", "key", "value"].map((name, j) => [name, { start: j * dim, count: dim }] as const);
  return [
    ...rows.map(([name, some]) =>
      tensorEntry(`${path}.${name}.weight`, `${reference}.in_proj_weight`, [3 * dim, dim], XAVIER, {
        layout: "linear",
        rows: some,
      }),
    ),
    ...rows.map(([name, some]) =>
      tensorEntry(`${path}.${name}.bias`, `${reference}.in_proj_bias`, [3 * dim], ZEROS, { rows: some }),
    ),
  ];
}
