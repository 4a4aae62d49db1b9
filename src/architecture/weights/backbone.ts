// The weights of the encoder. Weight decay leaves its embeddings, norms and biases alone.

import type { Architecture } from "../variants.ts";
import {
  type Init,
  inPart,
  type Line,
  linearEntries,
  type NameEntry,
  normEntries,
  ONES,
  tensorEntry,
  ZEROS,
} from "./entry.ts";

const DRAWN: Init = { kind: "truncatedNormal" };
const ROOT = "backbone.0.encoder.encoder";

export function backboneWeights(architecture: Architecture): NameEntry[] {
  const { encoder, patchSize: patch, positionalEncodingSize, outFeatureIndexes } = architecture;
  const width = encoder.hiddenSize;
  const ours = "backbone.embeddings";
  const theirs = `${ROOT}.embeddings`;
  const projection = `${theirs}.patch_embeddings.projection`;
  const positions = [1, positionalEncodingSize ** 2 + 1, width];
  const embeddings = undecayed([
    tensorEntry(`${ours}.classToken`, `${theirs}.cls_token`, [1, 1, width], DRAWN),
    tensorEntry(`${ours}.maskToken`, `${theirs}.mask_token`, [1, width], ZEROS),
    tensorEntry(`${ours}.positionEmbeddings`, `${theirs}.position_embeddings`, positions, DRAWN),
    tensorEntry(`${ours}.patch.weight`, `${projection}.weight`, [width, 3, patch, patch], DRAWN, { layout: "conv" }),
    tensorEntry(`${ours}.patch.bias`, `${projection}.bias`, [width], ZEROS),
  ]);
  // The reference counts from the layer behind the last block that is used; what follows the blocks has nothing above it.
  const top = outFeatureIndexes.at(-1)! + 1;
  const below = (layersAbove: number, lines: Line[]) => inPart({ name: "encoder", layersAbove }, lines);
  return [
    ...below(top + 1, embeddings),
    ...Array.from({ length: encoder.numHiddenLayers }, (_, i) => i).flatMap((i) => below(top - i, block(i, encoder))),
    ...below(0, undecayed(normEntries("backbone.norm", `${ROOT}.layernorm`, width))),
  ];
}

function block(i: number, { hiddenSize: width, mlpRatio }: Architecture["encoder"]): Line[] {
  const path = `backbone.blocks.${i}`;
  const reference = `${ROOT}.encoder.layer.${i}`;
  const layer = (ours: string, theirs: string, size: [out: number, input: number]) => {
    const [weight, bias] = linearEntries(`${path}.${ours}`, `${reference}.${theirs}`, size, {
      weight: DRAWN,
      bias: ZEROS,
    });
    return [weight!, ...undecayed([bias!])];
  };
  return [
    ...undecayed(normEntries(`${path}.norm1`, `${reference}.norm1`, width)),
    ...["query", "key", "value"].flatMap((name) =>
      layer(`attention.${name}`, `attention.attention.${name}`, [width, width]),
    ),
    ...layer("attention.output", "attention.output.dense", [width, width]),
    tensorEntry(`${path}.layerScale1`, `${reference}.layer_scale1.lambda1`, [width], ONES),
    ...undecayed(normEntries(`${path}.norm2`, `${reference}.norm2`, width)),
    ...layer("mlp.fc1", "mlp.fc1", [width * mlpRatio, width]),
    ...layer("mlp.fc2", "mlp.fc2", [width, width * mlpRatio]),
    tensorEntry(`${path}.layerScale2`, `${reference}.layer_scale2.lambda1`, [width], ONES),
  ];
}

function undecayed(entries: Line[]): Line[] {
  return entries.map((entry) => ({ ...entry, decays: false }));
}
