// The weights of the mask head: blocks that refine the map, one a decoder layer, and what makes a query the weights of its mask.

import { MASK_HIDDEN } from "../facts.ts";
import type { Architecture } from "../variants.ts";
import { type Line, linearEntries, normEntries, tensorEntry, ZEROS } from "./entry.ts";

const REFERENCE = "segmentation_head";

export function maskWeights({ hiddenDim: dim, decLayers }: Architecture): Line[] {
  const queries = `${REFERENCE}.query_features_block`;
  const drawn = { kind: "uniform", fanIn: dim } as const;
  const projection = `${REFERENCE}.spatial_features_proj`;
  return [
    tensorEntry("heads.mask.bias", `${REFERENCE}.bias`, [1], ZEROS),
    ...Array.from({ length: decLayers }, (_, i) => block(i, dim)).flat(),
    tensorEntry("heads.mask.map.weight", `${projection}.weight`, [dim, dim, 1, 1], drawn, { layout: "conv" }),
    tensorEntry("heads.mask.map.bias", `${projection}.bias`, [dim], drawn),
    ...normEntries("heads.mask.norm", `${queries}.norm_in`, dim),
    ...linearEntries("heads.mask.linear1", `${queries}.layers.0`, [MASK_HIDDEN * dim, dim]),
    ...linearEntries("heads.mask.linear2", `${queries}.layers.2`, [dim, MASK_HIDDEN * dim]),
    ...linearEntries("heads.mask.query", `${REFERENCE}.query_features_proj`, [dim, dim]),
  ];
}

function block(i: number, dim: number): Line[] {
  const path = `heads.mask.blocks.${i}`;
  const reference = `${REFERENCE}.blocks.${i}`;
  const drawn = { kind: "uniform", fanIn: 9 } as const;
  const depthwise = `${reference}.dwconv`;
  return [
    tensorEntry(`${path}.depthwise.weight`, `${depthwise}.weight`, [dim, 1, 3, 3], drawn, { layout: "depthwise" }),
    tensorEntry(`${path}.depthwise.bias`, `${depthwise}.bias`, [dim], drawn),
    ...normEntries(`${path}.norm`, `${reference}.norm`, dim),
    ...linearEntries(`${path}.linear`, `${reference}.pwconv1`, [dim, dim]),
  ];
}
