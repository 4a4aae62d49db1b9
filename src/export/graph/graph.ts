// An ONNX graph while it is being written: operations are added one by one, each named by where in the network it is.

import { CONTRIB, ELEMENT, type ElementType, MOST_BYTES } from "../../onnx/format.ts";
import { UserError } from "../../util/errors.ts";
import { halfBits } from "../../util/half.ts";
import {
  byteLength,
  bytes as bytesField,
  type Encoded,
  embed,
  float,
  int,
  message,
  text,
} from "../../util/protobuf.ts";

/** The name of a tensor of the graph. */
export type Value = string;

/** A tensor in host memory that becomes part of the file. */
export type Constant = { shape: readonly number[]; data: Float32Array };

type Attribute = number | string | readonly number[] | { float: number };

/** A dimension: a number, or the name of one that is free. */
type Shape = readonly (number | string)[];

export type GraphOptions = {
  opset: number;
  /** What `weights` and `scalar` are stored as. */
  floats: "float32" | "float16";
};

export type Graph = {
  readonly opset: number;
  readonly floats: "float32" | "float16";
  input(name: string, type: ElementType, shape: Shape): Value;
  /** Give a tensor its name for users of the file. */
  output(value: Value, name: string, type: ElementType, shape: Shape): void;
  /** Add an operation with one output. Inputs that are left out are "". */
  op(type: string, inputs: readonly Value[], attributes?: Record<string, Attribute>): Value;
  /** Add an operation with several outputs. */
  ops(type: string, inputs: readonly Value[], attributes: Record<string, Attribute>, outputs: number): Value[];
  /** Floating-point numbers, in the graph's own type or the one given. */
  weights(name: string, constant: Constant, floats?: "float32" | "float16"): Value;
  /** Bytes of any element type. */
  raw(name: string, type: ElementType, shape: readonly number[], bytes: Uint8Array): Value;
  /** One floating-point number without axes. Equal ones are stored once. */
  scalar(value: number, floats?: "float32" | "float16"): Value;
  /** A vector of int64. Equal ones are stored once. */
  ints(...values: number[]): Value;
  /** Operations that `build` adds are named as inside of this place. */
  within<T>(place: string, build: () => T): T;
  /** Number of operations so far. */
  readonly size: number;
  /** The file. Weights are not copied. Throws a UserError where it would be larger than the format allows. */
  encode(about: { name: string; version: string; metadata: Record<string, string> }): Encoded;
};

/** Operations that the standard does not have. */
const CONTRIB_OPERATIONS = new Set(["MultiHeadAttention", "Gelu", "SkipLayerNormalization", "QuickGelu", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"]); // biome-ignore format: one line

/** An operation: its domain ("" is the standard), what it reads and makes, and its encoded attributes. */
type Node = { name: string; domain: string; type: string; inputs: Value[]; outputs: Value[]; rest: Encoded };

export function createGraph({ opset, floats }: GraphOptions): Graph {
  const nodes: Node[] = [];
  const constants: Encoded[] = [];
  const inputs: Encoded[] = [];
  const outputs: Encoded[] = [];
  const shared = new Map<string, Value>();
  const places: string[] = [];
  const names = new Set<string>();

  const unique = (name: string): string => {
    let free = name;
    for (let i = 1; names.has(free); i++) free = `${name}_${i}`;
    names.add(free);
    return free;
  };
  const constant = (name: string, type: ElementType, shape: readonly number[], bytes: Uint8Array): Value => {
    const free = unique(name);
    constants.push(
      embed(5, ...shape.map((n) => int(1, n)), int(2, ELEMENT[type]), text(8, free), bytesField(9, bytes)),
    );
    return free;
  };
  const once = (key: string, make: () => Value): Value => {
    const found = shared.get(key) ?? make();
    shared.set(key, found);
    return found;
  };
  const stored = (data: Float32Array, as: "float32" | "float16") =>
    asBytes(as === "float32" ? data : Uint16Array.from(data, halfBits));

  const graph: Graph = {
    opset,
    floats,
    input: (name, type, shape) => {
      inputs.push(embed(11, ...port(name, type, shape)));
      return unique(name);
    },
    output: (value, name, type, shape) => {
      rename(nodes, value, name);
      outputs.push(embed(12, ...port(name, type, shape)));
    },
    op: (type, from, attributes = {}) => graph.ops(type, from, attributes, 1)[0]!,
    ops: (type, from, attributes, count) => {
      const name = unique([...places, type].join("/"));
      const to = count === 1 ? [unique(`${name}:0`)] : Array.from({ length: count }, (_, i) => unique(`${name}:${i}`));
      const domain = CONTRIB_OPERATIONS.has(type) ? CONTRIB : "";
      const rest = message(
        ...Object.entries(attributes).map(([key, value]) => embed(5, text(1, key), ...attribute(value))),
        domain === "" ? undefined : text(7, domain),
      );
      nodes.push({ name, domain, type, inputs: [...from], outputs: [...to], rest });
      return to;
    },
    weights: (name, { shape, data }, as = floats) => constant(name, as, shape, stored(data, as)),
    raw: constant,
    scalar: (value, as = floats) =>
      once(`${as} ${value}`, () => constant(`scalar ${value}`, as, [], stored(Float32Array.of(value), as))),
    ints: (...values) =>
      once(`ints ${values}`, () =>
        constant(`ints ${values}`, "int64", [values.length], asBytes(BigInt64Array.from(values.map(BigInt)))),
      ),
    within: (place, build) => {
      places.push(place);
      try {
        return build();
      } finally {
        places.pop();
      }
    },
    get size() {
      return nodes.length;
    },
    encode: (about) => encodeModel({ nodes, constants, inputs, outputs, opset }, about),
  };
  return graph;
}

/** The parts of a model as the file's ModelProto. Throws a UserError where it would be larger than the format allows. */
function encodeModel(
  {
    nodes,
    constants,
    inputs,
    outputs,
    opset,
  }: Record<"constants" | "inputs" | "outputs", Encoded[]> & {
    nodes: readonly Node[];
    opset: number;
  },
  { name, version, metadata }: Parameters<Graph["encode"]>[0],
): Encoded {
  const operations = nodes.map((node) =>
    embed(
      1,
      ...node.inputs.map((value) => text(1, value)),
      ...node.outputs.map((value) => text(2, value)),
      text(3, node.name),
      text(4, node.type),
      node.rest,
    ),
  );
  const contrib = nodes.some(({ domain }) => domain === CONTRIB);
  const encoded = message(
    int(1, IR_VERSION),
    text(2, "rfdetr-train"),
    text(3, version),
    embed(7, ...operations, text(2, name), ...constants, ...inputs, ...outputs),
    embed(8, text(1, ""), int(2, opset)),
    contrib ? embed(8, text(1, CONTRIB), int(2, 1)) : undefined,
    ...Object.entries(metadata).map(([key, value]) => embed(14, text(1, key), text(2, value))),
  );
  const length = byteLength(encoded);
  if (length > MOST_BYTES)
    throw new UserError(`The ONNX file would have ${(length / 1e9).toFixed(1)} GB; the format allows 2.1.`, {
      hint: "Choose a smaller encoder or fewer decoder layers.",
    });
  return encoded;
}

/** What opset 17 and 18 came with. */
const IR_VERSION = 8;

function rename(nodes: { inputs: Value[]; outputs: Value[] }[], value: Value, name: string): void {
  for (const node of nodes) {
    for (const list of [node.inputs, node.outputs])
      for (const [i, one] of list.entries()) if (one === value) list[i] = name;
  }
}

function asBytes({ buffer, byteOffset, byteLength: length }: ArrayBufferView<ArrayBufferLike>): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function attribute(value: Attribute): Encoded[] {
  if (typeof value === "number") return [int(3, value), int(20, 2)];
  if (typeof value === "string") return [text(4, value), int(20, 3)];
  if ("float" in value) return [float(2, value.float), int(20, 1)];
  return [...value.map((one) => int(8, one)), int(20, 7)];
}

function port(name: string, type: ElementType, shape: Shape): Encoded[] {
  const dims = shape.map((dim) => embed(1, typeof dim === "number" ? int(1, dim) : text(2, dim)));
  return [text(1, name), embed(2, embed(1, int(1, ELEMENT[type]), embed(2, ...dims)))];
}
