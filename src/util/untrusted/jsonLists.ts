// JSON files of long lists, read entry by entry: only what is kept of the entries is held, so the file may be longer than a text can be.

import { getHeapStatistics } from "node:v8";
import { UserError } from "../errors.ts";
import { type ByteWindow, throughWindow, type WindowOptions } from "./byteWindow.ts";
import { isObject, MOST_JSON_LEVELS, parseCheckedJson, tooDeep } from "./json.ts";
import { utf8Of } from "./regular.ts";

const MOST_BYTES = 32e9;
/** Share of the memory that Node may use: what is made of the entries needs as much again. Beyond all of it the process dies. */
const MOST_OF_MEMORY = 0.5;
/** Bytes of the heap's limit that objects which stay cannot take: three half spaces of new ones, of which V8 13 (Node 24) has larger ones. */
const YOUNG_BYTES = 3 * (Number.parseInt(process.versions.v8, 10) >= 13 ? 64 << 20 : 16 << 20);
/** Bytes of entries that are parsed at a time: much quicker than each alone. */
const RUN_BYTES = 1 << 16;

export type ListsOptions = {
  /** What is kept of an entry of a list, by the list's key in the object of the file; by "" where the file is a list. Other keys are left out. */
  keep: Readonly<Record<string, (entry: unknown) => unknown>>;
  /** NaN and Infinity, which Python writes, are read as null. */
  bareNumbers?: boolean;
  /** Bounds of the reading. */
  window?: Partial<WindowOptions>;
};

/** A `keep` of entries that are objects; any other is kept as it is, for who checks them. */
export function keepOf(
  pick: (entry: Readonly<Record<string, unknown>>) => Record<string, unknown>,
): (entry: unknown) => unknown {
  return (entry) => (isObject(entry) ? pick(entry) : entry);
}

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [LIST, LIST_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The value of a JSON file, which may begin with a byte-order mark, with the entries of its lists as `keep` has them. Throws a
 * UserError that names the file and the byte, and in a list the entry, where it is no JSON or nested deeper than 100 levels,
 * and one that says so where what is kept leaves too little memory for what is made of it.
 */
export async function readJsonLists(
  path: string,
  { keep, bareNumbers = false, window }: ListsOptions,
): Promise<unknown> {
  return throughWindow(path, { most: MOST_BYTES, ...window }, async (bytes) => {
    const reader: Reader = { window: bytes, keep, bareNumbers };
    await skipMark(bytes);
    const first = await nextByte(bytes);
    if (first !== LIST && first !== OBJECT) {
      while (await bytes.more());
      return parsePart(reader, { end: bytes.end, place: "" });
    }
    const value = first === LIST ? await readList(reader, { key: "", level: 1 }) : await readObject(reader);
    if ((await nextByte(bytes)) >= 0) throw fault(bytes, "more follows behind its end");
    return value;
  });
}

type Reader = { window: ByteWindow } & Required<Pick<ListsOptions, "keep" | "bareNumbers">>;

async function readObject(reader: Reader): Promise<Record<string, unknown>> {
  const { window, keep } = reader;
  const values: Record<string, unknown> = {};
  window.at++;
  let next = await nextByte(window);
  for (let first = true; next !== OBJECT_END; first = false) {
    if (!first) {
      if (next !== COMMA) throw fault(window, 'a comma or "}" is missing');
      window.at++;
      next = await nextByte(window);
    }
    if (next !== QUOTE) throw fault(window, "a key in quotation marks is missing");
    const key = String(parsePart(reader, { end: await wholeToken(window, stringEnd), place: "a key" }));
    if ((await nextByte(window)) !== COLON) throw fault(window, `a colon is missing behind the key ${short(key)}`);
    window.at++;
    let value: unknown;
    if ((await nextByte(window)) === LIST) value = await readList(reader, { key, level: 2 });
    else {
      const scan = (from: ByteWindow) => runEnd(from, { level: 1, bytes: 0 });
      value = parsePart(reader, { end: await wholeToken(window, scan), place: `the value of ${short(key)}` });
    }
    if (Object.hasOwn(keep, key)) values[key] = value;
    next = await nextByte(window);
  }
  window.at++;
  return values;
}

/** The kept entries of the list that begins here. `level` is the list's own. */
async function readList(reader: Reader, { key, level }: { key: string; level: number }): Promise<unknown[]> {
  const { window } = reader;
  const keep = Object.hasOwn(reader.keep, key) ? reader.keep[key] : undefined;
  const kept: unknown[] = [];
  const scan = (from: ByteWindow) => runEnd(from, { level, bytes: RUN_BYTES });
  let count = 0;
  let checked = window.start;
  window.at++;
  for (let closed = false; !closed; ) {
    const end = await wholeToken(window, scan);
    const entries = parseRun(reader, { end, key, level, count });
    closed = window.bytes[end] === LIST_END;
    if (entries.length === 0 && (count > 0 || !closed)) throw missingEntry(window, key, count);
    window.at = end;
    if (!closed && window.bytes[end] !== COMMA) throw fault(window, `a comma or "]" is missing in ${listOf(key)}`);
    window.at++;
    count += entries.length;
    if (keep) for (const entry of entries) kept.push(keep(entry));
    if (window.start !== checked) checkMemory(window);
    checked = window.start;
  }
  return kept;
}

/** The entries from here to before `end`, each parsed alone only where they are not right together. */
function parseRun(
  reader: Reader,
  { end, key, level, count }: { end: number; key: string; level: number; count: number },
): unknown[] {
  const { window } = reader;
  try {
    return JSON.parse(`[${textTo(window, end)}]`);
  } catch {
    const entries: unknown[] = [];
    while (window.at < end) {
      if (entries.length > 0) window.at++; // the comma
      const stop = runEnd({ ...window, end: end + 1 }, { level, bytes: 0 });
      if (isBlank(window, stop)) throw missingEntry(window, key, count + entries.length);
      entries.push(parsePart(reader, { end: stop, place: `entry ${count + entries.length} of ${listOf(key)}` }));
    }
    return entries;
  }
}

/** The value from here to before `end`; the window is moved there. */
function parsePart({ window, bareNumbers }: Reader, { end, place }: { end: number; place: string }): unknown {
  const source = place ? `${window.path}: ${place} (from byte ${window.start + window.at})` : window.path;
  const value = parseCheckedJson(textTo(window, end), source, { bareNumbers });
  window.at = end;
  return value;
}

/** From here to before `end`. */
function textTo({ bytes, at, path }: ByteWindow, end: number): string {
  return utf8Of(bytes.subarray(at, end), path);
}

function checkMemory({ path, start }: ByteWindow): void {
  const { used_heap_size: used, heap_size_limit: all } = getHeapStatistics();
  const limit = all - YOUNG_BYTES;
  if (used < limit * MOST_OF_MEMORY) return;
  const mega = (bytes: number) => Math.round(bytes / 1e6);
  throw new UserError(
    `${path} needs more memory than Node may use: at its first ${mega(start)} MB half of the ${mega(limit)} MB are taken.`,
    { hint: `Set NODE_OPTIONS=--max-old-space-size=MEGABYTES, for example ${4 * 1024 * Math.ceil(limit / 2 ** 31)}.` },
  );
}

/** What `scan` finds, which is -1 as long as the window ends too early: then more is held, and it begins again. */
async function wholeToken(window: ByteWindow, scan: (window: ByteWindow) => number): Promise<number> {
  for (;;) {
    const end = scan(window);
    if (end >= 0) return end;
    if (!(await window.more())) throw fault(window, "the file ends within what begins here");
  }
}

/** Behind the string that begins here, or -1. */
function stringEnd({ bytes, at, end }: ByteWindow): number {
  for (let i = at + 1; i < end; i++) {
    if (bytes[i] === BACKSLASH) i++;
    else if (bytes[i] === QUOTE) return i + 1;
  }
  return -1;
}

/**
 * The place of the comma or the closing bracket that ends what begins here, on the same level: the first one behind `bytes`
 * bytes, else the last one that is held; -1 for none. Nothing but strings and brackets is looked at.
 */
function runEnd(window: ByteWindow, { level, bytes: least }: { level: number; bytes: number }): number {
  const { bytes, at, end } = window;
  let depth = 0;
  let comma = -1;
  for (let i = at; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      for (i++; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
    } else if (byte === COMMA) {
      if (depth > 0) continue;
      comma = i;
      if (i - at >= least) return i;
    } else if (byte === LIST || byte === OBJECT) {
      if (++depth + level > MOST_JSON_LEVELS) throw tooDeep(`${window.path}, at byte ${window.start + i},`);
    } else if (byte === LIST_END || byte === OBJECT_END) {
      if (depth === 0) return i;
      depth--;
    }
  }
  return comma;
}

/** The next byte that is no white space, which the window is moved to; -1 at the file's end. */
async function nextByte(window: ByteWindow): Promise<number> {
  do {
    for (; window.at < window.end; window.at++) {
      const byte = window.bytes[window.at]!;
      if (!isSpace(byte)) return byte;
    }
  } while (await window.more());
  return -1;
}

async function skipMark(window: ByteWindow): Promise<void> {
  while (window.end < 3 && (await window.more()));
  if (window.bytes.toString("latin1", 0, Math.min(3, window.end)) === "\u00ef\u00bb\u00bf") window.at = 3;
}

function isBlank({ bytes, at }: ByteWindow, end: number): boolean {
  for (let i = at; i < end; i++) if (!isSpace(bytes[i]!)) return false;
  return true;
}

const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const short = (key: string) => JSON.stringify(key.length > 40 ? `${key.slice(0, 40)}...` : key);
const listOf = (key: string) => (key ? short(key) : "the list");

const missingEntry = (window: ByteWindow, key: string, index: number) =>
  fault(window, `entry ${index} of ${listOf(key)} is missing`);

function fault({ path, start, at }: ByteWindow, why: string): UserError {
  return new UserError(`${path} is not valid JSON: ${why}, at byte ${start + at}.`, {
    hint: "Is the file complete? Write or export it again.",
  });
}
