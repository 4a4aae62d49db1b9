// The mask head as operations: the map that the decoder layers refine, and of each query the weights of its mask.

import { EPSILON, MASK_STRIDE } from "../../architecture/facts.ts";
import { permute } from "../../util/arrays/permute.ts";
import type { Constant, Value } from "./graph.ts";
import { affine, joinColumns } from "./host.ts";
import {
  type Builder,
  cast,
  gelu,
  type LinearConstants,
  linear,
  linearAt,
  norm,
  reshape,
  transpose,
} from "./layers.ts";
import type { FeatureLevel } from "./projector.ts";

/** Logits [batch, queries, side, side] in float32. */
export type Masks = { logits: Value; side: number };

/** Masks of the last decoder layer. map: the projector's finest; hidden: [batch * queries, dim], what all heads read. */
export function masks(b: Builder, { map, hidden }: { map: FeatureLevel; hidden: Value }): Masks {
  const { graph, architecture } = b;
  const { hiddenDim: dim, numQueries: queries, decLayers, resolution } = architecture;
  const side = Math.floor(resolution / MASK_STRIDE);
  return graph.within("heads.mask", () => {
    let cells = enlarged(b, map, side); // channels first, as the convolutions and the product at the end take them
    for (let i = 0; i < decLayers; i++) cells = refined(b, cells, `heads.mask.blocks.${i}`, side);
    const weights = reshape(graph, queryWeights(b, hidden), -1, queries, dim + 1);
    const [factors, added] = graph.ops("Split", [weights, graph.ints(dim, 1)], { axis: 2 }, 2) as [Value, Value];
    const products = graph.op("MatMul", [factors, reshape(graph, cells, -1, dim, side * side)]);
    const logits = cast(graph, graph.op("Add", [products, added]), "float32");
    return { logits: reshape(graph, logits, -1, queries, side, side), side };
  });
}

/** [batch, side, side, dim] -> [batch, dim, to, to], bilinear between cell centres. */
function enlarged({ graph, architecture }: Builder, { value, side }: FeatureLevel, to: number): Value {
  const first = transpose(graph, value, 0, 3, 1, 2);
  if (side === to) return first;
  let scale = Math.fround(to / side);
  if (Math.fround(scale * side) < to) scale = Math.fround(scale * (1 + 2 ** -23)); // the size is rounded down
  const scales = { shape: [4], data: Float32Array.of(1, 1, scale, scale) };
  const attributes = { mode: "linear", coordinate_transformation_mode: "half_pixel" };
  const out = graph.op("Resize", [first, "", graph.weights("heads.mask.scales", scales, "float32")], attributes);
  return reshape(graph, out, -1, architecture.hiddenDim, to, to);
}

/** Depthwise convolution, norm, linear, GELU, around which the map goes on. x: [batch, dim, side, side] -> the same shape. */
function refined(b: Builder, x: Value, path: string, side: number): Value {
  const { graph, architecture, leaf } = b;
  const dim = architecture.hiddenDim;
  const filter = permute(leaf(`${path}.depthwise.weight`), [2, 3, 0, 1]);
  const inputs = [x, graph.weights(`${path}.depthwise.weight`, filter), graph.weights(`${path}.depthwise.bias`, leaf(`${path}.depthwise.bias`))]; // biome-ignore format: one line
  const mixed = graph.op("Conv", inputs, { group: dim, kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] });
  const cells = reshape(graph, transpose(graph, mixed, 0, 2, 3, 1), -1, dim);
  const normalised = norm(b, cells, `${path}.norm`, EPSILON.maskMap);
  const out = gelu(b, linear(b, normalised, `${path}.linear`, linearAt(b, `${path}.linear`)));
  return graph.op("Add", [x, transpose(graph, reshape(graph, out, -1, side, side, dim), 0, 3, 1, 2)]);
}

/** Weights of the map's channels, and what is added to their sum. x: [batch * queries, dim] -> [batch * queries, dim + 1]. */
function queryWeights(b: Builder, x: Value): Value {
  const { graph } = b;
  const path = "heads.mask";
  const normalised = norm(b, x, `${path}.norm`, EPSILON.maskQuery);
  const hidden = gelu(b, linear(b, normalised, `${path}.linear1`, linearAt(b, `${path}.linear1`)));
  const sum = graph.op("Add", [x, linear(b, hidden, `${path}.linear2`, linearAt(b, `${path}.linear2`))]);
  return linear(b, sum, `${path}.query`, projections(b));
}

/**
 * The query's projection, then the map's, which is done to the query: the same sum, of fewer rows than the map has cells. One layer
 * of both: [dim, dim + 1].
 */
function projections({ leaf, ...b }: Builder): LinearConstants {
  const query = linearAt({ leaf, ...b }, "heads.mask.query");
  const [map, bias, added] = [leaf("heads.mask.map.weight"), leaf("heads.mask.map.bias"), leaf("heads.mask.bias")];
  const [input, out] = map.shape.slice(2) as [number, number];
  const turned = permute({ shape: [input, out], data: map.data }, [1, 0]);
  const both: Constant = joinColumns(turned, { shape: [out, 1], data: bias.data });
  const last: Constant = { shape: [input + 1], data: new Float32Array(input + 1) };
  last.data[input] = added.data[0]!;
  const none: Constant = { shape: [input + 1], data: new Float32Array(input + 1) };
  const row = { shape: [1, out], data: query.bias.data };
  return { weight: affine(query.weight, both, none), bias: { shape: [input + 1], data: affine(row, both, last).data } };
}
