// Whether an ONNX file can run for ever: loops are looked for, in graphs inside graphs, before onnxruntime sees the file.

import { type FileReader, withFile } from "../checkpoint/fileReader.ts";
import { UserError } from "../util/errors.ts";
import { readFields } from "../util/protobuf.ts";

/** No detector has them, and a run of onnxruntime cannot be ended from outside. */
const LOOPS = ["Loop", "Scan"];
const MOST_LEVELS = 10;
/** Bytes of one node; a constant in it may be as large as a model's constants are. */
const MOST_NODE_BYTES = 64 << 20;
/** Parts of a model and its graph: operations, weights, inputs. */
const MOST_PARTS = 1_000_000;
const WINDOW = 1 << 16;

/**
 * Throws a UserError that names the file and the operation where the model holds a loop. The file is read in parts; weights
 * are passed over. Bytes that are no model end the search: that they are none is for whoever opens it to say.
 */
export function refuseLoops(path: string): Promise<void> {
  return withFile(path, async (file) => {
    try {
      await searchModel(file);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
  });
}

async function searchModel(file: FileReader): Promise<void> {
  const bytes = windowOf(file);
  let parts = 0;
  const count = () => {
    if (++parts > MOST_PARTS) throw new UserError(`${file.path} has more than ${MOST_PARTS} parts: it is no detector.`);
  };
  for await (const { field, start, end } of fieldsIn(bytes, 0, file.size)) {
    count();
    const nodes = field === 7 ? 1 : field === 25 ? 7 : undefined; // the graph's, or a function's
    if (nodes === undefined) continue;
    for await (const inner of fieldsIn(bytes, start, end)) {
      count();
      if (inner.field !== nodes) continue;
      if (inner.end - inner.start > MOST_NODE_BYTES)
        throw new UserError(
          `${file.path} has an operation of ${inner.end - inner.start} bytes, which no detector has.`,
        );
      checkNode(await bytes(inner.start, inner.end - inner.start), file.path, 0);
    }
  }
}

/** A node: its operation (4), and graphs (6, 11) in its attributes (5), the nodes (1) of which are looked at, too. */
function checkNode(node: Uint8Array, path: string, level: number): void {
  if (level > MOST_LEVELS) throw new UserError(`${path} has graphs inside graphs, ${level} levels deep.`);
  for (const { field, value } of readFields(node)) {
    if (!(value instanceof Uint8Array)) continue;
    if (field === 4 && LOOPS.includes(new TextDecoder().decode(value)))
      throw new UserError(`${path} holds the operation ${new TextDecoder().decode(value)}, which may never end.`, {
        hint: "No RF-DETR has it: export the detector again.",
      });
    if (field !== 5) continue;
    for (const attribute of readFields(value))
      if ((attribute.field === 6 || attribute.field === 11) && attribute.value instanceof Uint8Array)
        for (const one of readFields(attribute.value))
          if (one.field === 1 && one.value instanceof Uint8Array) checkNode(one.value, path, level + 1);
  }
}

type Bytes = (at: number, length: number) => Promise<Uint8Array>;

/** Reads near each other are one read of the file. */
function windowOf({ size, read }: FileReader): Bytes {
  let start = 0;
  let held: Uint8Array = new Uint8Array(0);
  return async (at, length) => {
    if (at < start || at + length > start + held.length) {
      held = await read(at, Math.min(size - at, Math.max(length, WINDOW)));
      start = at;
    }
    return held.subarray(at - start, at - start + length);
  };
}

/** The fields between two places of a file: where the content of each begins and ends. */
async function* fieldsIn(bytes: Bytes, from: number, to: number) {
  for (let at = from; at < to; ) {
    const head = await bytes(at, Math.min(20, to - at));
    let used = 0;
    const number = (): number => {
      let value = 0;
      for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
        const byte = head[used++];
        if (byte === undefined) break;
        value += (byte & 127) * factor;
        if (byte < 128) return value;
      }
      throw new RangeError("no number");
    };
    const key = number();
    const type = key % 8;
    if (key < 8) throw new RangeError("no field has the number 0");
    const length = type === 0 ? 0 : type === 1 ? 8 : type === 5 ? 4 : type === 2 ? number() : Number.NaN;
    if (type === 0) number();
    const start = at + used;
    if (!(start + length <= to)) throw new RangeError("it ends early");
    yield { field: Math.floor(key / 8), start, end: start + length };
    at = start + length;
  }
}
