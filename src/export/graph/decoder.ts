// Decoder and heads as operations; only the first group of queries is in the file.

import { BOX_HEAD_LAYERS, EPSILON, offsetUnit } from "../../architecture/facts.ts";
import type { Value } from "./graph.ts";
import { joinColumns, rows } from "./host.ts";
import {
  attention,
  type Builder,
  cast,
  linear,
  linearAt,
  mlp,
  normOf,
  reshape,
  scaled,
  slice,
  split,
  transpose,
} from "./layers.ts";
import type { FeatureLevel } from "./projector.ts";
import { type Boxes, boxPositions, moved, propose } from "./proposals.ts";

/**
 * logits: [batch, queries, classes + 1]; centre, extent: [batch, queries, 2], all float32; hidden: [batch * queries, dim], what the
 * heads read.
 */
export type Detections = Boxes & { logits: Value; hidden: Value };

/** levels: one [batch, side, side, dim] each. `images` is the graph's input: its first axis is the batch. */
export function detect(b: Builder, levels: readonly FeatureLevel[], images: Value): Detections {
  const { graph, architecture } = b;
  const { hiddenDim: dim, numQueries: queries, decLayers } = architecture;
  const tokens = levels.reduce((sum, { side }) => sum + side * side, 0);
  const flat = levels.map(({ value, side }) => reshape(graph, value, -1, side * side, dim));
  const joined = flat.length === 1 ? flat[0]! : graph.op("Concat", flat, { axis: 1 });
  const memory = reshape(graph, joined, -1, dim);

  const references = graph.within("twoStage", () => propose(b, memory, { levels, tokens, images }));
  const position = graph.within("positions", () => boxPositions(b, references));
  const values = graph.within("values", () => valuesOfLayers(b, memory, { levels, tokens }));
  let x: Value | undefined;
  for (let i = 0; i < decLayers; i++)
    x = graph.within(`decoder.layers.${i}`, () => layer(b, x, i, { position, references, maps: values[i]!, levels }));

  return graph.within("heads", () => {
    const hidden = normAt(b, x!, "decoder.norm");
    const logits = cast(graph, linear(b, hidden, "heads.class", linearAt(b, "heads.class")), "float32");
    const layers = Array.from({ length: BOX_HEAD_LAYERS }, (_, i) => linearAt(b, `heads.box.${i}`));
    const delta = cast(graph, mlp(b, hidden, "heads.box", layers), "float32");
    const classes = architecture.numClasses + 1;
    return {
      hidden,
      logits: reshape(graph, logits, -1, queries, classes),
      ...moved(b, reshape(graph, delta, -1, queries, 4), references),
    };
  });
}

function normAt(b: Builder, x: Value, path: string): Value {
  const [weight, bias] = [b.leaf(`${path}.weight`), b.leaf(`${path}.bias`)];
  return normOf(b.graph, x, path, { weight, bias, epsilon: EPSILON.decoder });
}

/** What each decoder layer reads: for every level a map [batch * heads, channels, side, side]. One product for all layers. */
function valuesOfLayers(
  b: Builder,
  memory: Value,
  { levels, tokens }: { levels: readonly FeatureLevel[]; tokens: number },
): Value[][] {
  const { graph, architecture } = b;
  const { hiddenDim: dim, decLayers, caNheads: heads } = architecture;
  const all = Array.from({ length: decLayers }, (_, i) => linearAt(b, `decoder.layers.${i}.crossAttention.value`));
  const weight = joinColumns(...all.map((one) => one.weight));
  const bias = joinColumns(...all.map((one) => one.bias));
  const values = linear(b, memory, "decoder.values", { weight, bias });
  const byLayer = transpose(graph, reshape(graph, values, -1, tokens, decLayers, dim), 2, 0, 3, 1);
  return split(graph, byLayer, 0, decLayers).map((value) => {
    const whole = cast(graph, value, "float32"); // sampling is done in float32 in any case
    let first = 0;
    return levels.map(({ side }) => {
      const from = first;
      first += side * side;
      const part = levels.length === 1 ? whole : slice(graph, whole, 3, from, first);
      return reshape(graph, part, -1, dim / heads, side, side);
    });
  });
}

type LayerInputs = { position: Value; references: Boxes; maps: readonly Value[]; levels: readonly FeatureLevel[] };

/** One decoder layer. x: [batch * queries, dim]; undefined for the first, whose queries are the learned ones. */
function layer(b: Builder, x: Value | undefined, index: number, inputs: LayerInputs): Value {
  const { graph, architecture, leaf } = b;
  const { hiddenDim: dim, numQueries: queries, saNheads: heads } = architecture;
  const path = `decoder.layers.${index}`;
  const at = (name: string) => [`${path}.${name}`, linearAt(b, `${path}.${name}`)] as const;
  const learned = rows(leaf("decoder.queries.features"), 0, queries); // [queries, dim], the same for every image
  const features = x === undefined ? graph.weights("queries.features", learned) : undefined;
  const plus = (value: Value): Value => {
    if (features === undefined) return graph.op("Add", [value, x!]);
    return reshape(graph, graph.op("Add", [reshape(graph, value, -1, queries, dim), features]), -1, dim);
  };

  const placed = plus(inputs.position);
  const sizes = { tokens: queries, width: dim, heads, name: `${path}.selfAttention.values` };
  const attended = attention(b, `${path}.selfAttention`, { queryKey: placed, value: x ?? learned }, sizes);
  const y = normAt(b, plus(linear(b, attended, ...at("selfAttention.output"))), `${path}.norm1`);
  const read = deformable(b, graph.op("Add", [y, inputs.position]), `${path}.crossAttention`, inputs);
  const z = normAt(b, graph.op("Add", [y, linear(b, read, ...at("crossAttention.output"))]), `${path}.norm2`);
  const hidden = graph.op("Relu", [linear(b, z, ...at("linear1"))]);
  return normAt(b, graph.op("Add", [z, linear(b, hidden, ...at("linear2"))]), `${path}.norm3`);
}

/** Deformable attention before its output layer. query: [batch * queries, dim] -> [batch * queries, dim]. */
function deformable(
  b: Builder,
  query: Value,
  path: string,
  { references, maps, levels }: Pick<LayerInputs, "references" | "maps" | "levels">,
): Value {
  const { graph, architecture } = b;
  const { hiddenDim: dim, numQueries: queries, caNheads: heads, decNPoints: points } = architecture;
  const samples = levels.length * points;
  const offsets = scaled(linearAt(b, `${path}.samplingOffsets`), () => 2 * offsetUnit(points)); // the grid is 2 wide, from -1 to 1
  const shares = linearAt(b, `${path}.attentionWeights`);
  const both = linear(b, query, `${path}.samples`, {
    weight: joinColumns(offsets.weight, shares.weight),
    bias: joinColumns(offsets.bias, shares.bias),
  });
  const whole = cast(graph, both, "float32");
  const shift = reshape(graph, slice(graph, whole, 1, 0, 2 * heads * samples), -1, queries, heads, samples, 2);
  const scores = slice(graph, whole, 1, 2 * heads * samples, 3 * heads * samples);
  const weights = graph.op("Softmax", [reshape(graph, scores, -1, queries, heads, samples)], { axis: -1 });

  const centre = graph.op("Add", [
    graph.op("Mul", [references.centre, graph.scalar(2, "float32")]),
    graph.scalar(-1, "float32"),
  ]);
  const perQuery = (value: Value) => reshape(graph, value, -1, queries, 1, 1, 2);
  const moved = graph.op("Add", [graph.op("Mul", [shift, perQuery(references.extent)]), perQuery(centre)]);
  const grids = split(graph, transpose(graph, moved, 0, 2, 1, 3, 4), 3, levels.length);
  const sampled = maps.map((map, level) =>
    graph.op("GridSample", [map, reshape(graph, grids[level]!, -1, queries, points, 2)], {
      mode: "bilinear",
      padding_mode: "zeros",
      align_corners: 0,
    }),
  ); // [batch * heads, channels, queries, points] each
  const all = sampled.length === 1 ? sampled[0]! : graph.op("Concat", sampled, { axis: 3 });
  const byHead = reshape(graph, transpose(graph, weights, 0, 2, 1, 3), -1, 1, queries, samples);
  const sum = graph.op("ReduceSum", [graph.op("Mul", [all, byHead]), graph.ints(-1)], { keepdims: 0 });
  const out = reshape(graph, transpose(graph, reshape(graph, sum, -1, dim, queries), 0, 2, 1), -1, dim);
  return cast(graph, out, "float16");
}
