// What an ONNX file says of itself, read without its weights: the file is not trusted, and nothing large is taken into memory.

import { type FileReader, withFile } from "../checkpoint/fileReader.ts";
import { UserError } from "../util/errors.ts";
import { readFields } from "../util/protobuf.ts";

export type OnnxFacts = {
  irVersion: number;
  /** Program that wrote the file. */
  producer: string;
  /** Version of the operations of each domain; "" is the standard's. */
  opsets: Record<string, number>;
  /** Texts by key. */
  metadata: Record<string, string>;
};

/** Fields that a file may have outside of its graph, and their bytes in all. */
const MOST_FIELDS = 10_000;
const MOST_TEXT = 16 * 2 ** 20;

/**
 * Read a model's facts. Throws a UserError that names the file where it is no ONNX file, or one that was cut off.
 */
export function readOnnxFacts(path: string): Promise<OnnxFacts> {
  return withFile(path, async (file) => {
    try {
      return await scan(file);
    } catch (cause) {
      if (cause instanceof RangeError || cause instanceof TypeError) throw noModel(path, cause.message, cause);
      throw cause;
    }
  });
}

async function scan({ path, size, read }: FileReader): Promise<OnnxFacts> {
  const facts: OnnxFacts = { irVersion: 0, producer: "", opsets: {}, metadata: {} };
  let hasGraph = false;
  let bytes = 0;
  let fields = 0;
  for (let at = 0; at < size; ) {
    if (++fields > MOST_FIELDS) throw noModel(path, "it has too many fields");
    const head = await read(at, Math.min(HEAD, size - at));
    const { field, type, value, length: headLength } = fieldHead(head);
    at += headLength;
    if (type === 0) {
      if (field === 1) facts.irVersion = value;
      continue;
    }
    const length = type === 2 ? value : type === 1 ? 8 : 4;
    if (length > size - at) throw noModel(path, "it ends before its contents do");
    if (field === 7) hasGraph = true;
    else if (type === 2 && (field === 2 || field === 8 || field === 14)) {
      bytes += length;
      if (bytes > MOST_TEXT) throw noModel(path, "its metadata are too large");
      take(facts, field, await read(at, length));
    }
    at += length;
  }
  if (!hasGraph || facts.irVersion === 0) throw noModel(path, hasGraph ? "it states no version" : "it has no graph");
  return facts;
}

function take(facts: OnnxFacts, field: number, content: Uint8Array): void {
  if (field === 2) {
    facts.producer = utf8(content);
    return;
  }
  // an operator set {domain 1, version 2} or a metadata entry {key 1, value 2}
  let key = "";
  let value: bigint | Uint8Array | undefined;
  for (const one of readFields(content)) {
    if (one.field === 1 && one.value instanceof Uint8Array) key = utf8(one.value);
    if (one.field === 2) value = one.value;
  }
  const put = (record: Record<string, unknown>, what: unknown) =>
    Object.defineProperty(record, key, { value: what, enumerable: true, configurable: true, writable: true });
  if (field === 8 && typeof value === "bigint") put(facts.opsets, Number(value));
  if (field === 14) put(facts.metadata, value instanceof Uint8Array ? utf8(value) : "");
}

/** A key and a length take no more bytes than this. */
const HEAD = 20;

/** The key of a field, and its number or the length of its content. */
function fieldHead(bytes: Uint8Array): { field: number; type: number; value: number; length: number } {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || factor > 2 ** 63) throw new RangeError("it has a number without an end");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const key = number();
  const [field, type] = [Math.floor(key / 8), key % 8];
  if (field === 0 || ![0, 1, 2, 5].includes(type)) throw new RangeError("its bytes are no fields of a model");
  const value = type === 0 || type === 2 ? number() : 0;
  return { field, type, value, length: at };
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function noModel(path: string, why: string, cause?: unknown): UserError {
  return new UserError(`${path} is no ONNX model: ${why}.`, {
    hint: "The file is damaged, incomplete or not what it seems: export or copy it again.",
    cause,
  });
}
