// TensorFlow's own form of a graph: a GraphDef is written, an OpDef is read. Field numbers are those of
// tensorflow/core/framework: graph.proto, node_def.proto, attr_value.proto, tensor.proto, op_def.proto.

import { bytes, type Encoded, embed, float, int, message, readFields, text, toBytes } from "../../util/protobuf.ts";
import type { Attribute } from "../backend.ts";

/** TensorFlow's numbers of element types. */
export const TYPES = { float: 1, int32: 3, bool: 10, resource: 20 } as const;

/** A node: `inputs` are names of nodes, `node:1` for another output than the first, `^node` for one that has to be over. */
export type GraphNode = {
  name: string;
  op: string;
  inputs: readonly string[];
  attributes: ReadonlyMap<string, Encoded>;
  /** Where it runs; default: wherever the graph does. */
  device?: string;
};

/** The constants of the binding's TF_AttrType. */
const KINDS = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const;

/** A whole GraphDef. `producer`: any version of TensorFlow 2 that knows today's operations. */
export function graphDef(nodes: readonly GraphNode[], producer = 2000): Uint8Array {
  const encoded = nodes.map(({ name, op, inputs, attributes, device }) =>
    embed(
      1,
      text(1, name),
      text(2, op),
      ...inputs.map((input) => text(3, input)),
      device === undefined ? undefined : text(4, device),
      ...[...attributes].map(([key, value]) => embed(5, text(1, key), bytes(2, value))),
    ),
  );
  return toBytes(message(...encoded, embed(4, int(1, producer))));
}

export function typeValue(dtype: number): Encoded {
  return int(6, dtype);
}

export function typesValue(dtypes: readonly number[]): Encoded {
  return embed(1, ...dtypes.map((dtype) => int(6, dtype)));
}

export function stringValue(value: string): Encoded {
  return text(2, value);
}

export function countValue(count: number): Encoded {
  return int(3, count);
}

export function shapeValue(shape: readonly number[]): Encoded {
  return bytes(7, shapeOf(shape));
}

function shapeOf(shape: readonly number[]): Encoded {
  return message(...shape.map((size) => embed(2, int(1, size))));
}

/** An attribute as it was given to an eager operation. Throws a RangeError where its kind is not known. */
export function attributeValue({ name, type, value }: Attribute): Encoded {
  if (type === KINDS.shape) return shapeValue(value as number[]);
  if (type === KINDS.string && typeof value === "string") return stringValue(value);
  const field = { [KINDS.int]: 3, [KINDS.float]: 4, [KINDS.bool]: 5, [KINDS.type]: 6 }[type];
  if (field === undefined) throw new RangeError(`attribute ${name} is of a kind (${type}) that no recording has`);
  const number = (one: unknown) => (field === 4 ? float(field, Number(one)) : int(field, Number(one)));
  return Array.isArray(value) ? embed(1, ...value.map(number)) : number(value);
}

/** The value of a constant; `one`: the same number stands everywhere and is written once. */
export function tensorValue(
  { dtype, shape }: { dtype: number; shape: readonly number[] },
  content: Uint8Array | { one: number },
): Encoded {
  if (content instanceof Uint8Array) return embed(8, int(1, dtype), bytes(2, shapeOf(shape)), bytes(4, content));
  const { one } = content;
  const value = dtype === TYPES.float ? float(5, one) : int(dtype === TYPES.int32 ? 7 : 11, one);
  return embed(8, int(1, dtype), bytes(2, shapeOf(shape)), value);
}

/** What TensorFlow says of an operation, as far as a node needs it. */
export type OpDef = {
  inputs: {
    typeAttribute: string | undefined;
    countAttribute: string | undefined;
    listAttribute: string | undefined;
  }[];
  stateful: boolean;
};

export function readOpDef(encoded: Uint8Array): OpDef {
  const inputs: OpDef["inputs"] = [];
  let stateful = false;
  for (const { field, value } of readFields(encoded)) {
    if (field === 17) stateful = value === 1n;
    if (field !== 2 || !(value instanceof Uint8Array)) continue;
    const words = new Map<number, string>();
    for (const part of readFields(value)) {
      if (part.value instanceof Uint8Array) words.set(part.field, Buffer.from(part.value).toString());
    }
    inputs.push({ typeAttribute: words.get(4), countAttribute: words.get(5), listAttribute: words.get(6) });
  }
  return { inputs, stateful };
}
