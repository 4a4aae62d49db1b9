// Which operations a file may not have: those that may never end, and those whose sizes depend on the pixels, as then a trial
// with one image says nothing of another.

import { UserError } from "../util/errors.ts";
import { readFields } from "../util/protobuf.ts";

/** No detector has them, and a run of onnxruntime cannot be ended from outside. */
const LOOPS = new Set(["Loop", "Scan", "SequenceMap", "BeamSearch", "WhisperBeamSearch", "GreedySearch", "Sampling"]);

/** The inputs that decide how large an output is, or what is computed at all. */
const DECIDING: Record<string, readonly number[]> = {
  ...{ Expand: [1], Tile: [1, 2], ConstantOfShape: [0], Range: [0, 1, 2], Reshape: [1], OneHot: [1], If: [0] },
  ...{ Resize: [1, 2, 3], Upsample: [1], Pad: [1, 3], Slice: [1, 2, 3, 4], Split: [1], TopK: [1], ExpandDims: [1] },
  ...{ NonZero: [0], Compress: [1], Unique: [0], NonMaxSuppression: [0, 1, 2, 3, 4], SplitToSequence: [1] },
  ...{ SequenceAt: [1], SequenceErase: [1], Squeeze: [1], Unsqueeze: [1], Col2Im: [1, 2], CenterCropPad: [1] },
  ...{ AffineGrid: [1], MaxUnpool: [2], CropAndResize: [3], DFT: [1], STFT: [1, 3], MelWeightMatrix: [0, 1, 2, 3, 4] },
  ...{ HannWindow: [0], HammingWindow: [0], BlackmanWindow: [0], ImageDecoder: [0], Tokenizer: [0], StringSplit: [0] },
};

/** What these give depends on the shape of their input alone. */
const SHAPES = new Set(["Shape", "Size"]);

const MOST_LEVELS = 10;

/** A function of the file: its nodes, with the names of what goes in and comes out. */
export type ModelFunction = { inputs: string[]; outputs: string[]; nodes: Uint8Array[] };

const utf8 = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Read a FunctionProto: its full name and what it does. */
export function readFunction(bytes: Uint8Array): [name: string, ModelFunction] {
  const read: ModelFunction = { inputs: [], outputs: [], nodes: [] };
  let [name, domain] = ["", ""];
  for (const { field, value } of readFields(bytes)) {
    if (!(value instanceof Uint8Array)) continue;
    if (field === 1) name = utf8(value);
    else if (field === 4) read.inputs.push(utf8(value));
    else if (field === 5) read.outputs.push(utf8(value));
    else if (field === 7) read.nodes.push(value);
    else if (field === 10) domain = utf8(value);
  }
  return [`${domain}:${name}`, read];
}

/**
 * A check of the nodes of a graph, to be given them in their order; it throws a UserError that names the file and the operation.
 * `pixels`: the graph's inputs. `count` is called for each node, those inside of functions and branches among them.
 */
export function operationCheck(
  path: string,
  { pixels, functions, count }: { pixels: readonly string[]; functions: Map<string, ModelFunction>; count(): void },
): (node: Uint8Array) => void {
  /** `scope`: names of values that depend on pixels; those of the node's outputs are added. */
  const check = (node: Uint8Array, scope: Set<string>, level: number): void => {
    count();
    if (level > MOST_LEVELS) throw new UserError(`${path} has graphs inside graphs, ${level} levels deep.`);
    const { operation, domain, inputs, outputs, branches } = readNode(node);
    if (LOOPS.has(operation)) throw refused(`${path} holds the operation ${operation}, which may never end.`);
    const depends = inputs.map((name) => scope.has(name));
    const deciding = /^Reduce/.test(operation) ? [1] : Object.hasOwn(DECIDING, operation) ? DECIDING[operation]! : [];
    if (deciding.some((input) => depends[input]))
      throw refused(
        `${path} holds the operation ${operation} with sizes that depend on the pixels: they have no limit.`,
      );
    const body = functions.get(`${domain}:${operation}`);
    if (body) {
      const inner = new Set(body.inputs.filter((_, i) => depends[i]));
      for (const one of body.nodes) check(one, inner, level + 1);
      for (const [i, name] of body.outputs.entries()) if (inner.has(name) && outputs[i]) scope.add(outputs[i]);
      return;
    }
    const before = scope.size;
    for (const one of branches) check(one, scope, level + 1);
    const isOne = (depends.includes(true) && !SHAPES.has(operation)) || scope.size > before;
    if (isOne) for (const name of outputs) if (name) scope.add(name);
  };
  const scope = new Set(pixels);
  return (node) => check(node, scope, 0);
}

/** A node, with the nodes of all graphs in its attributes. */
function readNode(node: Uint8Array) {
  const [inputs, outputs, branches]: [string[], string[], Uint8Array[]] = [[], [], []];
  let [operation, domain] = ["", ""];
  for (const { field, value } of readFields(node)) {
    if (!(value instanceof Uint8Array)) continue;
    if (field === 1) inputs.push(utf8(value));
    else if (field === 2) outputs.push(utf8(value));
    else if (field === 4) operation = utf8(value);
    else if (field === 7) domain = utf8(value);
    else if (field === 5) branches.push(...graphNodes(value));
  }
  return { operation, domain, inputs, outputs, branches };
}

/** The nodes (1) of the graphs (6, 11) in an attribute. */
function* graphNodes(attribute: Uint8Array): Generator<Uint8Array> {
  for (const { field, value } of readFields(attribute))
    if ((field === 6 || field === 11) && value instanceof Uint8Array)
      for (const one of readFields(value)) if (one.field === 1 && one.value instanceof Uint8Array) yield one.value;
}

function refused(message: string): UserError {
  return new UserError(message, { hint: "No RF-DETR has it: export the detector again." });
}
