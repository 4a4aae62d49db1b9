// The safetensors file format: an 8-byte length, a JSON header, then raw little-endian tensors (github.com/huggingface/safetensors).

import { UserError } from "../util/errors.ts";
import { writeFileAtomic } from "../util/files.ts";
import { BYTES, type DType, type HostTensor, type StateDict, size } from "../util/hostTensor.ts";
import { isObject, jsonStringEnd } from "../util/untrusted/json.ts";
import { damaged, type FileReader, quoted, withFile } from "./fileReader.ts";

export type Safetensors = { tensors: StateDict; metadata: Record<string, string> };

// Far above what any detector needs (an RF-DETR has about 60 kB); it bounds what a hostile header can make us allocate.
const MAX_HEADER = 16 * 2 ** 20;

/**
 * Read a whole safetensors file. Tensors come in the header's order, each with memory of its own.
 * Throws a UserError that names the file where it is missing, damaged, or holds an element type that we do not know.
 */
export function readSafetensors(path: string): Promise<Safetensors> {
  return withFile(path, async (file) => {
    const { entries, metadata, dataStart } = await readHeader(file);
    const tensors: StateDict = new Map();
    for (const { name, dtype, shape, begin, end } of entries) {
      tensors.set(name, { dtype, shape, bytes: await file.read(dataStart + begin, end - begin) });
    }
    return { tensors, metadata };
  });
}

type Entry = { name: string; dtype: DType; shape: number[]; begin: number; end: number };

async function readHeader(file: FileReader) {
  if (file.size < 8) throw damaged(file.path, "it is too short for a safetensors file");
  const prefix = await file.read(0, 8);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > MAX_HEADER) throw damaged(file.path, `its safetensors header claims ${length} bytes`);
  const headerBytes = await file.read(8, length);
  const header = parseHeader(file.path, headerBytes);
  const dataStart = 8 + length;

  const metadata: Record<string, string> = Object.create(null);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== "__metadata__") {
      entries.push(checkedEntry(file.path, name, value));
      continue;
    }
    for (const [key, text] of Object.entries(record(file.path, name, value))) {
      if (typeof text !== "string") throw damaged(file.path, `its metadata ${quoted(key)} is not text`);
      metadata[key] = text;
    }
  }
  checkLayout(file, entries, dataStart);
  return { entries, metadata: { ...metadata }, dataStart };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!text.startsWith("{")) throw new Error("no object");
    checkKeys(path, text);
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw damaged(path, "its safetensors header is not valid JSON");
  }
}

/** JSON.parse keeps the last of two equal keys without a word, and a file with two tensors of one name is a trap. */
function checkKeys(path: string, text: string): void {
  const open: (Set<string> | null)[] = []; // one a nesting level; null for an array
  for (let i = 0; i < text.length; i++) {
    const token = text[i];
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : null);
      if (open.length > 4) throw damaged(path, "its safetensors header is nested too deeply");
    } else if (token === "}" || token === "]") open.pop();
    else if (token === '"') {
      const end = jsonStringEnd(text, i);
      if (end < 0) throw new Error("a string without an end");
      AFTER_STRING.lastIndex = end + 1;
      if (AFTER_STRING.test(text)) {
        const key = JSON.parse(text.slice(i, end + 1)) as string;
        const keys = open.at(-1);
        if (keys?.has(key)) throw damaged(path, `its safetensors header has the key ${quoted(key)} twice`);
        keys?.add(key);
      }
      i = end;
    }
  }
}

/** What makes a string a key. */
const AFTER_STRING = /\s*:/y;

function record(path: string, name: string, value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw damaged(path, `the header entry ${quoted(name)} is not an object`);
}

function checkedEntry(path: string, name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = record(path, name, value);
  const wholes = (list: unknown): list is number[] =>
    Array.isArray(list) && list.length <= 32 && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== "string" || !wholes(shape) || !wholes(offsets) || offsets.length !== 2) {
    throw damaged(path, `the header entry of tensor ${quoted(name)} is not valid`);
  }
  if (!Object.hasOwn(BYTES, dtype)) {
    throw new UserError(`Cannot read ${path}: tensor ${quoted(name)} has the element type ${quoted(dtype)}.`, {
      hint: `Known types: ${Object.keys(BYTES).join(", ")}.`,
    });
  }
  const [begin, end] = offsets as [number, number];
  const bytes = size(shape) * BYTES[dtype as DType];
  if (end - begin !== bytes) {
    const claim = `shape [${shape}] of ${dtype} (${bytes} bytes) but has ${end - begin} bytes`;
    throw damaged(path, `tensor ${quoted(name)} claims ${claim}`);
  }
  return { name, dtype: dtype as DType, shape, begin, end };
}

/** Tensors must fill the rest of the file one after another. */
function checkLayout(file: FileReader, entries: Entry[], dataStart: number): void {
  let next = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== next) {
      throw damaged(
        file.path,
        `tensor ${quoted(name)} ${begin < next ? "overlaps another" : "leaves a hole before it"}`,
      );
    }
    next = end;
  }
  if (dataStart + next > file.size) {
    throw damaged(file.path, `its tensors need ${dataStart + next} bytes, but it has ${file.size}`);
  }
  if (dataStart + next < file.size) {
    throw damaged(file.path, `it has ${file.size - dataStart - next} bytes that belong to no tensor`);
  }
}

/**
 * Write tensors and text metadata as a safetensors file, whole or not at all. The same arguments give the same bytes.
 * The header keeps the order of `tensors`; the data is laid out widest element first, so that each tensor is aligned.
 */
export async function writeSafetensors(
  path: string,
  tensors: StateDict,
  metadata: Record<string, string> = {},
): Promise<void> {
  const byWidth = [...tensors].sort(([, a], [, b]) => BYTES[b.dtype] - BYTES[a.dtype]); // a stable sort
  const offsets = new Map<string, [number, number]>();
  let next = 0;
  for (const [name, tensor] of byWidth) {
    checkTensor(name, tensor);
    offsets.set(name, [next, next + tensor.bytes.length]);
    next += tensor.bytes.length;
  }
  const keys = Object.keys(metadata).sort();
  const sortedMetadata = Object.fromEntries(keys.map((key) => [key, metadata[key]]));
  const header = [
    ...(keys.length > 0 ? [["__metadata__", sortedMetadata] as const] : []),
    ...[...tensors].map(([name, { dtype, shape }]) => {
      return [name, { dtype, shape, data_offsets: offsets.get(name) }] as const;
    }),
  ];
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  await writeFileAtomic(path, [padded, ...byWidth.map(([, { bytes }]) => bytes)]);
}

/** What must hold for any tensor that is written. A bug of the caller, not of the user. */
export function checkTensor(name: string, { dtype, shape, bytes }: HostTensor): void {
  if (name === "__metadata__" || size(shape) * BYTES[dtype] !== bytes.length) {
    throw new Error(`tensor ${name}: ${bytes.length} bytes do not fit shape [${shape}] of ${dtype}`);
  }
}
