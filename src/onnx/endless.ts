// Whether an ONNX file can run for ever, or for as long as an image says: its operations are looked at, in graphs inside graphs,
// before onnxruntime sees the file.

import { type FileReader, withFile } from "../checkpoint/fileReader.ts";
import { UserError } from "../util/errors.ts";
import { type ModelFunction, operationCheck, readFunction } from "./operations.ts";

/** The inputs of a detector. */
const PIXELS = ["input", "sizes"];
/** Bytes of one node; a constant in it may be as large as a model's constants are. */
const MOST_NODE_BYTES = 64 << 20;
/** Parts of a model and its graph: operations, weights, inputs. */
const MOST_PARTS = 1_000_000;
const WINDOW = 1 << 16;

/**
 * Throws a UserError that names the file and the operation where the model holds a loop, or sizes that depend on pixels. The file is read in parts; weights
 * are passed over. Bytes that are no model end the search: that they are none is for whoever opens it to say.
 */
export function refuseUnbounded(path: string): Promise<void> {
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
  const whole = async (start: number, end: number) => {
    if (end - start > MOST_NODE_BYTES)
      throw new UserError(`${file.path} has an operation of ${end - start} bytes, which no detector has.`);
    return bytes(start, end - start);
  };
  const functions = new Map<string, ModelFunction>();
  let held = 0;
  for await (const { field, start, end } of fieldsIn(bytes, 0, file.size)) {
    count();
    if (field !== 25) continue;
    held += end - start;
    if (held > MOST_NODE_BYTES)
      throw new UserError(`${file.path} has functions of ${held} bytes, which no detector has.`);
    const [name, body] = readFunction((await whole(start, end)).slice()); // not with all that was read around it
    functions.set(name, body);
  }
  const checkOf = (pixels: readonly string[]) => operationCheck(file.path, { pixels, functions, count });
  for (const { nodes } of functions.values()) nodes.forEach(checkOf([]));
  const check = checkOf(PIXELS);
  for await (const { field, start, end } of fieldsIn(bytes, 0, file.size)) {
    if (field !== 7) continue;
    for await (const inner of fieldsIn(bytes, start, end)) {
      count();
      if (inner.field === 1) check(await whole(inner.start, inner.end));
    }
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
