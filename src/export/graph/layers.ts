// Layers of the network as operations of a graph. Tokens are rows: a value of tokens is [batch * tokens, width].

import type { Architecture } from "../../architecture/variants.ts";
import { permute } from "../../util/arrays/permute.ts";
import type { Quantiser } from "../quantise.ts";
import type { Constant, Graph, Value } from "./graph.ts";
import { affine, rows, scaleColumns } from "./host.ts";

/** What the parts of the network are written with. */
export type Builder = {
  graph: Graph;
  architecture: Architecture;
  /** A leaf of our weight tree, in our layout. */
  leaf(path: string): Constant;
  /** Use operations that only onnxruntime has. */
  fused: boolean;
  /** Writes matrix products with whole numbers, where they are asked for. */
  quantiser?: Quantiser | undefined;
};

/** Weight [in, out] and bias [out] of a linear layer. */
export type LinearConstants = { weight: Constant; bias: Constant };

export function linearAt({ leaf }: Builder, path: string): LinearConstants {
  return { weight: leaf(`${path}.weight`), bias: leaf(`${path}.bias`) };
}

/** A layer's outputs times a factor for each: what follows it and only scales is folded into it. */
export function scaled({ weight, bias }: LinearConstants, factor: (column: number) => number): LinearConstants {
  return { weight: scaleColumns(weight, factor), bias: scaleColumns(bias, factor) };
}

/** x: [rows, in] -> [rows, out]. The name is that of the weights in the file. */
export function linear({ graph, quantiser }: Builder, x: Value, name: string, layer: LinearConstants): Value {
  const quantised = quantiser?.linear(graph, x, name, layer);
  if (quantised !== undefined) return quantised;
  const { weight, bias } = layer;
  return graph.op("Gemm", [x, graph.weights(`${name}.weight`, weight), graph.weights(`${name}.bias`, bias)]);
}

/** x: [rows, in] -> [rows, out]; weight: [in, out]. */
export function project({ graph, quantiser }: Builder, x: Value, name: string, weight: Constant): Value {
  return quantiser?.linear(graph, x, name, { weight }) ?? graph.op("MatMul", [x, graph.weights(name, weight)]);
}

/** Layer norm over the last axis. */
export function norm({ graph, leaf }: Builder, x: Value, path: string, epsilon: number): Value {
  const [weight, bias] = [leaf(`${path}.weight`), leaf(`${path}.bias`)];
  return normOf(graph, x, path, { weight, bias, epsilon });
}

export function normOf(
  graph: Graph,
  x: Value,
  name: string,
  { weight, bias, epsilon }: { weight: Constant; bias: Constant; epsilon: number },
): Value {
  const inputs = [x, graph.weights(`${name}.weight`, weight), graph.weights(`${name}.bias`, bias)];
  return graph.op("LayerNormalization", inputs, { axis: -1, epsilon: { float: epsilon } });
}

/** Multi-layer perceptron with ReLU between its layers. */
export function mlp(b: Builder, x: Value, path: string, layers: readonly LinearConstants[]): Value {
  return layers.reduce((y, layer, i) => {
    const out = linear(b, y, `${path}.${i}`, layer);
    return i < layers.length - 1 ? b.graph.op("Relu", [out]) : out;
  }, x);
}

/**
 * By the exact error function; the standard has it as one operation from opset 20 on only. In exactly this form (a division
 * first, the half last) onnxruntime makes one operation of it.
 */
export function gelu({ graph, fused }: Builder, x: Value): Value {
  if (fused) return graph.op("Gelu", [x]);
  const error = graph.op("Erf", [graph.op("Div", [x, graph.scalar(Math.SQRT2)])]);
  return graph.op("Mul", [graph.op("Mul", [x, graph.op("Add", [error, graph.scalar(1)])]), graph.scalar(0.5)]);
}

export function silu({ graph }: Builder, x: Value): Value {
  return graph.op("Mul", [x, graph.op("Sigmoid", [x])]);
}

export function reshape(graph: Graph, x: Value, ...shape: number[]): Value {
  return graph.op("Reshape", [x, graph.ints(...shape)]);
}

export function transpose(graph: Graph, x: Value, ...perm: number[]): Value {
  return graph.op("Transpose", [x], { perm });
}

export function slice(graph: Graph, x: Value, axis: number, from: number, to: number): Value {
  return graph.op("Slice", [x, graph.ints(from), graph.ints(to), graph.ints(axis)]);
}

/** Equal parts along an axis. */
export function split(graph: Graph, x: Value, axis: number, parts: number): Value[] {
  if (parts === 1) return [x];
  return graph.ops("Split", [x], graph.opset >= 18 ? { axis, num_outputs: parts } : { axis }, parts);
}

/** To another floating-point type, where it is not that already. */
export function cast(graph: Graph, x: Value, to: "float32" | "float16"): Value {
  return graph.floats === "float32" ? x : graph.op("Cast", [x], { to: to === "float32" ? 1 : 10 });
}

/** The first of the groups that a leaf stacks on its leading axis. */
export function firstGroup(constant: Constant): Constant {
  const first = rows(constant, 0, 1);
  return { shape: first.shape.slice(1), data: first.data };
}

/** How many tokens a sequence has, and how wide they are; `name` is that of values that are the same for all sequences. */
type AttentionSizes = { tokens: number; width: number; heads: number; name: string };

/**
 * Multi-head attention before its output layer, from the layers at `path`. queryKey, value: [sequences * tokens, width]; a
 * constant [tokens, width] is the value of every sequence -> [sequences * tokens, width].
 */
export function attention(
  b: Builder,
  path: string,
  { queryKey, value }: { queryKey: Value; value: Value | Constant },
  sizes: AttentionSizes,
): Value {
  const scale = 1 / Math.sqrt(sizes.width / sizes.heads); // of the scores, taken into the queries
  const query = scaled(linearAt(b, `${path}.query`), () => scale);
  const { weight, bias } = linearAt(b, `${path}.value`);
  const inputs = {
    query: linear(b, queryKey, `${path}.query`, query),
    key: linear(b, queryKey, `${path}.key`, linearAt(b, `${path}.key`)),
    value:
      typeof value === "string" ? linear(b, value, `${path}.value`, { weight, bias }) : affine(value, weight, bias),
  };
  return attend(b, inputs, sizes);
}

/** Queries, keys and values of attention, each [sequences * tokens, width]; or the same values for all sequences. */
type AttentionInputs = { query: Value; key: Value; value: Value | Constant };

/**
 * Multi-head attention within sequences of so many tokens; the scale of the scores is in the queries already.
 * -> [sequences * tokens, width].
 */
function attend(
  { graph, fused }: Builder,
  { query, key, value }: AttentionInputs,
  { tokens, width, heads, name }: AttentionSizes,
): Value {
  if (fused && typeof value === "string") {
    const inSequences = (x: Value) => reshape(graph, x, -1, tokens, width);
    const inputs = [inSequences(query), inSequences(key), inSequences(value)];
    const attended = graph.op("MultiHeadAttention", inputs, { num_heads: heads, scale: { float: 1 } });
    return reshape(graph, attended, -1, width);
  }
  const byHead = (x: Value, ...perm: number[]) =>
    transpose(graph, reshape(graph, x, -1, tokens, heads, width / heads), ...perm);
  const values =
    typeof value === "string"
      ? byHead(value, 0, 2, 1, 3)
      : graph.weights(name, permute({ shape: [1, tokens, heads, width / heads], data: value.data }, [0, 2, 1, 3]));
  const scores = graph.op("MatMul", [byHead(query, 0, 2, 1, 3), byHead(key, 0, 2, 3, 1)]);
  const attended = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: -1 }), values]);
  return reshape(graph, transpose(graph, attended, 0, 2, 1, 3), -1, width);
}
