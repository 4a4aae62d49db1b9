// From a tape to functions: what nobody needs is left out, the rest is cut into pieces of bounded length, and each becomes a graph.
// Between two pieces, what no later one reads is freed; so the backward pass takes no more memory than when it runs eagerly.

import { createHash } from "node:crypto";
import type { Encoded } from "../../util/protobuf.ts";
import {
  attributeValue,
  countValue,
  type GraphNode,
  graphDef,
  type OpDef,
  shapeValue,
  TYPES,
  tensorValue,
  typeValue,
} from "./graphDef.ts";
import type { GraphKernel } from "./kernels.ts";
import { addInOrder } from "./sums.ts";
import type { Tape, TapeConstant, TapeNode } from "./tape.ts";

/** Where a number of the tape comes from, as a name: `i3` an input, `k1` a kept constant, `n7` or `n7:1` what a node gives. */
type Place = string;

/** One function. `outputs`: names in the graph; each goes to a place that later pieces read, or is a result of its part. */
type Piece = {
  graph: Uint8Array;
  inputs: Place[];
  outputs: { name: string; to: Place | number; dtype: number }[];
  effects: string[];
  /** Places that are read for the last time here. */
  last: Place[];
};

export type Plan = {
  /** `form`: of the results. */
  parts: { pieces: Piece[]; form: unknown }[];
  /** Constants that are too large to be written into a graph. */
  kept: TapeConstant[];
  operations: number;
  /** Whether it changes variables or is done together with other processes, so that it must not be run twice. */
  inPlace: boolean;
  /** The same for two tapes that are replayed alike. */
  fingerprint: string;
};

/** Constants of more numbers stay on the device beside the graph. */
const MOST_WRITTEN = 256;

/** What several processes do together; it is done even where nobody reads what it gives. */
const COLLECTIVE = /^Collective/;
const VARIABLE = /^(VarHandleOp|ReadVariableOp|Assign.*VariableOp|DestroyResourceOp|Resource.*)$/;

type Node = { name: string; op: string; tape: TapeNode; inputs: Source[]; inPlace: boolean };
type Source = { place: Place; dtype: number; shape: readonly number[]; constant?: TapeConstant };

export type PlanOptions = {
  /** Operations of a piece, at most. */
  most: number;
  /** What TensorFlow says of an operation. */
  opDef(op: string): OpDef;
  /** What stands in the graph for an operation. */
  kernelOf(op: string, dtype: number): GraphKernel;
};

/** The plan of a tape. Throws an Error that says why where the tape cannot be replayed. */
export function planOf(tape: Tape, { most, opDef, kernelOf }: PlanOptions): Plan {
  if (tape.problem) throw new Error(tape.problem);
  const { parts, kept } = resolve(tape, opDef);
  const live = liveNodes(parts);
  const pieces = parts.map(({ nodes }) =>
    chunks(
      nodes.filter((node) => live.has(node)),
      most,
    ),
  );
  const all = pieces.flat();
  const lastRead = new Map<Place, number>();
  for (const [i, nodes] of all.entries())
    for (const { inputs } of nodes) for (const { place } of inputs) lastRead.set(place, i);
  let first = 0;
  const planned = parts.map(({ results, form }, part) => {
    const mine = pieces[part]!;
    const homes = new Map(mine.flatMap((nodes, i) => nodes.map(({ name }) => [name, i] as const)));
    const home = ({ place }: Source) => homes.get(place.split(":")[0]!) ?? mine.length - 1;
    const of = results.map((source, to) => ({ source, to, piece: home(source) }));
    for (const { source, piece } of of) {
      if (isValue(source.place)) lastRead.set(source.place, Math.max(lastRead.get(source.place) ?? -1, first + piece));
    }
    const made = mine.map((nodes, i) => {
      const here = first + i;
      return pieceOf(nodes, { opDef, kernelOf, here, lastRead, results: of.filter(({ piece }) => piece === i) });
    });
    first += mine.length;
    return { pieces: made, form };
  });
  return {
    parts: planned,
    kept,
    operations: live.size,
    inPlace: isInPlace(tape),
    fingerprint: fingerprint(planned, kept),
  };
}

/** Whether something on a tape is a variable that changes in place, or done together with other processes. */
export function isInPlace({ parts }: Tape): boolean {
  return parts.some(({ nodes }) => nodes.some(({ op }) => COLLECTIVE.test(op) || VARIABLE.test(op)));
}

const isValue = (place: Place) => place.startsWith("n");

type Part = { nodes: Node[]; results: Source[]; form: unknown };

/** Every number of the tape by the place that it comes from. */
function resolve(tape: Tape, opDef: (op: string) => OpDef): { parts: Part[]; kept: TapeConstant[] } {
  const sources = new Map<number, Source>();
  const kept: TapeConstant[] = [];
  const names = { inputs: 0, nodes: 0, written: 0 };
  const find = (id: number, reader: string): Source => {
    const known = sources.get(id);
    if (known) return known;
    const constant = tape.constants.get(id);
    if (!constant) throw new Error(`${reader} reads a tensor from outside that is not among its inputs`);
    const { dtype, shape } = constant;
    const written = isWritten(constant);
    const place = written ? `c${names.written++}` : `k${kept.push(constant) - 1}`;
    const source = { place, dtype, shape, ...(written && { constant }) };
    sources.set(id, source);
    return source;
  };
  const parts = tape.parts.map(({ inputs, nodes, results, form }) => {
    const mine = new Set<number>();
    for (const { id, dtype, shape } of inputs) {
      const place = `i${names.inputs++}`;
      if (!mine.has(id)) sources.set(id, { place, dtype, shape });
      mine.add(id); // the same tensor twice: which inputs are the same belongs to what a recording is found by
    }
    const resolved = nodes.map((tapeNode): Node => {
      const name = `n${names.nodes++}`;
      const from = tapeNode.inputs.map((id) => find(id, tapeNode.op));
      const resource = from.some(({ dtype }) => dtype === TYPES.resource);
      const together = COLLECTIVE.test(tapeNode.op);
      if (opDef(tapeNode.op).stateful && !resource && !together && tapeNode.op !== "VarHandleOp")
        throw new Error(`${tapeNode.op} keeps a state of its own`);
      for (const [i, { id, dtype, shape }] of tapeNode.outputs.entries())
        sources.set(id, { place: i === 0 ? name : `${name}:${i}`, dtype, shape });
      const inPlace = together || (resource && tapeNode.op !== "ReadVariableOp");
      return { name, op: tapeNode.op, tape: tapeNode, inputs: from, inPlace };
    });
    return { nodes: resolved, results: results.map((id) => find(id, "a result")), form };
  });
  return { parts, kept };
}

function isWritten({ dtype, values, same }: TapeConstant): boolean {
  const known = dtype === TYPES.float || dtype === TYPES.int32 || dtype === TYPES.bool;
  return known && (same || values.length <= MOST_WRITTEN);
}

/** The nodes that some result or some variable needs. */
function liveNodes(parts: readonly Part[]): Set<Node> {
  const needed = new Set<string>();
  const live = new Set<Node>();
  const need = (sources: readonly Source[]) => {
    for (const { place } of sources) needed.add(place.split(":")[0]!);
  };
  for (const { nodes, results } of [...parts].reverse()) {
    need(results);
    for (const node of [...nodes].reverse()) {
      if (!node.inPlace && !needed.has(node.name)) continue;
      live.add(node);
      need(node.inputs);
    }
  }
  return live;
}

/** At least one, of about the same length. */
function chunks<T>(list: readonly T[], most: number): T[][] {
  const count = Math.max(1, Math.ceil(list.length / most));
  const length = Math.ceil(list.length / count);
  return Array.from({ length: count }, (_, i) => list.slice(i * length, (i + 1) * length));
}

type PieceContext = Pick<PlanOptions, "opDef" | "kernelOf"> & {
  /** The number of this piece. */
  here: number;
  /** The number of the last piece that reads a place. */
  lastRead: ReadonlyMap<Place, number>;
  results: readonly { source: Source; to: number }[];
};

function pieceOf(nodes: readonly Node[], { opDef, kernelOf, here, lastRead, results }: PieceContext): Piece {
  const graph: GraphNode[] = [];
  const inputs: Place[] = [];
  const names = new Map<Place, string>();
  const add = (name: string, op: string, attributes: [string, Encoded][], from: readonly string[] = []) => {
    graph.push({ name, op, inputs: from, attributes: new Map(attributes) });
    return name;
  };
  const nameOf = ({ place, dtype, shape, constant }: Source): string => {
    const known = names.get(place);
    if (known) return known;
    const type: [string, Encoded] = ["dtype", typeValue(dtype)];
    const shaped: [string, Encoded][] = dtype === TYPES.resource ? [] : [["shape", shapeValue(shape)]];
    const name = constant
      ? add(place, "Const", [type, ["value", constantValue(constant)]])
      : add(`a${inputs.push(place) - 1}`, "Placeholder", [type, ...shaped]);
    names.set(place, name);
    return name;
  };
  const order = inOrder();
  const outputs: Piece["outputs"] = [];
  for (const node of nodes) {
    const before = node.inputs.flatMap(({ place, dtype }) =>
      dtype === TYPES.resource ? order(place, node.name, node.inPlace) : [],
    );
    const from = [...node.inputs.map(nameOf), ...new Set(before)];
    const { op, attributes } = kernelOf(node.op, elementsOf(node));
    if (op === "AddN") {
      const type: [string, Encoded] = ["T", typeValue(node.inputs[0]!.dtype)];
      let count = 0;
      const total = addInOrder(from, (a, b) => add(`${node.name}_${count++}`, "Add", [type], [a, b]));
      add(node.name, "Identity", [type], [total]);
    } else {
      add(node.name, op, [...attributesOf(node, opDef(node.op)), ...attributes], from);
    }
    for (const [i, { dtype }] of node.tape.outputs.entries()) {
      const place = i === 0 ? node.name : `${node.name}:${i}`;
      names.set(place, place);
      if ((lastRead.get(place) ?? -1) > here) outputs.push({ name: place, to: place, dtype });
    }
  }
  // Identity: a result may be an input or a constant, and may be asked for twice.
  for (const { source, to } of results) {
    const name = add(`r${to}`, "Identity", [["T", typeValue(source.dtype)]], [nameOf(source)]);
    outputs.push({ name, to, dtype: source.dtype });
  }
  return {
    graph: graphDef(graph),
    inputs,
    outputs,
    effects: nodes.filter(({ inPlace }) => inPlace).map(({ name }) => name),
    last: inputs.filter((place) => isValue(place) && lastRead.get(place) === here),
  };
}

/** The element type that an operation says it computes with, else that of its first input. */
function elementsOf({ tape, inputs }: Node): number {
  const given = tape.attributes.find(({ name }) => name === "T")?.value ?? inputs[0]?.dtype;
  return typeof given === "number" ? given : TYPES.float;
}

/** Keeps what reads and what changes a variable in its order: gives the nodes that have to be over before this one begins. */
function inOrder(): (place: Place, name: string, changes: boolean) => string[] {
  const seen = new Map<Place, { change: string | undefined; reads: string[] }>();
  return (place, name, changes) => {
    const { change, reads } = seen.get(place) ?? { change: undefined, reads: [] };
    seen.set(place, changes ? { change: name, reads: [] } : { change, reads: [...reads, name] });
    return [...(change === undefined ? [] : [change]), ...(changes ? reads : [])].map((one) => `^${one}`);
  };
}

function constantValue({ dtype, shape, values, same }: TapeConstant): Encoded {
  if (same) return tensorValue({ dtype, shape }, { one: values[0]! });
  return tensorValue({ dtype, shape }, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** What the operation was given, and what eager execution adds to it: element types and numbers of inputs. */
function attributesOf({ op, tape, inputs }: Node, { inputs: known }: OpDef): Map<string, Encoded> {
  const attributes = new Map(tape.attributes.map((one) => [one.name, attributeValue(one)]));
  const lists = known.filter(({ countAttribute }) => countAttribute !== undefined).length;
  let at = 0;
  for (const { typeAttribute, countAttribute, listAttribute } of known) {
    if (listAttribute !== undefined) throw new Error(`${op} takes a list of any types`);
    if (countAttribute !== undefined && lists > 1) throw new Error(`${op} takes more than one list`);
    const count = countAttribute === undefined ? 1 : inputs.length - (known.length - 1);
    if (countAttribute !== undefined && !attributes.has(countAttribute))
      attributes.set(countAttribute, countValue(count));
    const type = inputs[at]?.dtype;
    if (typeAttribute !== undefined && type !== undefined && !attributes.has(typeAttribute))
      attributes.set(typeAttribute, typeValue(type));
    at += count;
  }
  return attributes;
}

function fingerprint(parts: Plan["parts"], kept: readonly TapeConstant[]): string {
  const hash = createHash("sha256");
  for (const { pieces, form } of parts) {
    hash.update(JSON.stringify(form) ?? "");
    for (const { graph, inputs, outputs } of pieces) hash.update(graph).update(JSON.stringify([inputs, outputs]));
  }
  for (const { shape, values } of kept)
    hash.update(JSON.stringify(shape)).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return hash.digest("hex");
}
