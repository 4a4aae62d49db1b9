// A restricted unpickler (Python's pickletools.py describes the format): it runs no code, knows a closed table of names, and its memory is bounded.

import { UserError } from "../util/errors.ts";
import { damaged, quoted } from "./fileReader.ts";
import { call, isKnownGlobal, isTagged, type PyStorage, type PyTuple, type PyValue, shortest, tuple } from "./pickleValues.ts";

// A Lightning checkpoint with 1,200 tensors takes 40,000 instructions. Each makes at most one small object.
const MAX_INSTRUCTIONS = 2_000_000;
const MAX_INTEGER_BYTES = 32;

/** Python 2's names, which protocol 2 still writes. */
const MODULES: Record<string, string> = { __builtin__: "builtins", copy_reg: "copyreg" };

export type Unpickled = { value: PyValue; end: number };

/**
 * Read one pickle (protocols 2 to 5) that starts at `start`; `end` is where the next byte after it stands.
 * `path` is for messages. Throws a UserError for anything that a weights file has no need of, with its name.
 */
export function unpickle(bytes: Uint8Array, start: number, path: string): Unpickled {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const memo = new Map<number, PyValue>();
  const outer: PyValue[][] = []; // the stacks below each mark
  let stack: PyValue[] = [];
  let at = start;

  const fail = (why: string) => damaged(path, why);
  const take = (length: number): number => {
    if (length > bytes.length - at) throw fail("its pickle ends too early, or claims a size that it does not have");
    at += length;
    return at - length;
  };
  const u8 = () => view.getUint8(take(1));
  const u16 = () => view.getUint16(take(2), true);
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => {
    const length = view.getBigUint64(take(8), true);
    if (length > BigInt(bytes.length)) throw fail(`its pickle claims a size of ${length} bytes`);
    return Number(length);
  };
  const text = (length: number): string => {
    const from = take(length);
    return new TextDecoder().decode(bytes.subarray(from, from + length));
  };
  const raw = (length: number): Uint8Array => {
    const from = take(length);
    return bytes.slice(from, from + length);
  };
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    if (end < 0 || end - at > 500) throw fail("its pickle has a name without an end");
    const found = text(end - at);
    at++;
    return found;
  };
  const integer = (length: number): number | bigint => {
    if (length > MAX_INTEGER_BYTES) throw fail(`its pickle has an integer of ${length} bytes`);
    const from = take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(from + i));
    return shortest(length > 0 ? BigInt.asIntN(8 * length, value) : 0n);
  };

  const push = (value: PyValue) => {
    stack.push(value);
  };
  const pop = (): PyValue => {
    const value = stack.pop();
    if (value === undefined) throw fail("its pickle takes more values than it made");
    return value;
  };
  const top = (): PyValue => {
    const value = stack.at(-1);
    if (value === undefined) throw fail("its pickle takes more values than it made");
    return value;
  };
  const popMark = (): PyValue[] => {
    const items = stack;
    const below = outer.pop();
    if (!below) throw fail("its pickle closes a list that it did not open");
    stack = below;
    return items;
  };
  const popText = (): string => {
    const value = pop();
    if (typeof value !== "string") throw fail("its pickle has a name that is no text");
    return value;
  };
  const global = (module: string, name: string): PyValue => {
    const known = `${Object.hasOwn(MODULES, module) ? MODULES[module] : module}.${name}`;
    if (!isKnownGlobal(known)) throw unknownName(path, `${module}.${name}`);
    return { py: "global", name: known };
  };
  const append = (items: PyValue[]) => {
    const list = top();
    if (!Array.isArray(list)) throw fail("its pickle appends to a thing that is no list");
    for (const item of items) list.push(item);
  };
  const setItems = (items: PyValue[]) => {
    const dict = top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw fail("its pickle sets items of a thing that is no dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i] as PyValue, items[i + 1] as PyValue);
  };
  const remember = (index: number) => {
    memo.set(index, top());
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw fail("its pickle refers to a value that it did not make");
    push(value);
  };

  for (let count = 0; ; count++) {
    if (count > MAX_INSTRUCTIONS) throw fail(`its pickle has more than ${MAX_INSTRUCTIONS} instructions`);
    const opcode = u8();
    switch (opcode) {
      case 0x80: { // PROTO
        const protocol = u8();
        if (protocol < 2 || protocol > 5) throw fail(`its pickle has protocol ${protocol}`);
        break;
      }
      case 0x95: // FRAME
        if (u64() > bytes.length - at) throw fail("its pickle ends too early, or claims a size that it does not have");
        break;
      case 0x2e: // STOP
        if (stack.length !== 1 || outer.length > 0) throw fail("its pickle leaves values over");
        return { value: pop(), end: at };
      case 0x28: // MARK
        outer.push(stack);
        stack = [];
        break;
      case 0x30: // POP
        if (stack.length > 0) pop();
        else popMark();
        break;
      case 0x31: popMark(); break; // POP_MARK
      case 0x32: push(top()); break; // DUP
      case 0x4e: push(null); break; // NONE
      case 0x88: push(true); break; // NEWTRUE
      case 0x89: push(false); break; // NEWFALSE
      case 0x4a: push(view.getInt32(take(4), true)); break; // BININT
      case 0x4b: push(u8()); break; // BININT1
      case 0x4d: push(u16()); break; // BININT2
      case 0x8a: push(integer(u8())); break; // LONG1
      case 0x8b: push(integer(u32())); break; // LONG4
      case 0x47: push(view.getFloat64(take(8), false)); break; // BINFLOAT
      case 0x58: push(text(u32())); break; // BINUNICODE
      case 0x8c: push(text(u8())); break; // SHORT_BINUNICODE
      case 0x8d: push(text(u64())); break; // BINUNICODE8
      case 0x54: push(text(u32())); break; // BINSTRING
      case 0x55: push(text(u8())); break; // SHORT_BINSTRING
      case 0x42: push(raw(u32())); break; // BINBYTES
      case 0x43: push(raw(u8())); break; // SHORT_BINBYTES
      case 0x8e: push(raw(u64())); break; // BINBYTES8
      case 0x96: push(raw(u64())); break; // BYTEARRAY8
      case 0x5d: push([]); break; // EMPTY_LIST
      case 0x7d: push(new Map()); break; // EMPTY_DICT
      case 0x8f: push([]); break; // EMPTY_SET
      case 0x29: push(tuple([])); break; // EMPTY_TUPLE
      case 0x6c: push(popMark()); break; // LIST
      case 0x74: push(tuple(popMark())); break; // TUPLE
      case 0x91: push(popMark()); break; // FROZENSET
      case 0x85: push(tuple([pop()])); break; // TUPLE1
      case 0x86: push(tuple([pop(), pop()].reverse())); break; // TUPLE2
      case 0x87: push(tuple([pop(), pop(), pop()].reverse())); break; // TUPLE3
      case 0x61: append([pop()]); break; // APPEND
      case 0x65: append(popMark()); break; // APPENDS
      case 0x90: append(popMark()); break; // ADDITEMS
      case 0x73: setItems([pop(), pop()].reverse()); break; // SETITEM
      case 0x75: setItems(popMark()); break; // SETITEMS
      case 0x71: remember(u8()); break; // BINPUT
      case 0x72: remember(u32()); break; // LONG_BINPUT
      case 0x94: remember(memo.size); break; // MEMOIZE
      case 0x68: recall(u8()); break; // BINGET
      case 0x6a: recall(u32()); break; // LONG_BINGET
      case 0x63: push(global(line(), line())); break; // GLOBAL
      case 0x93: { // STACK_GLOBAL
        const name = popText();
        push(global(popText(), name));
        break;
      }
      case 0x52: // REDUCE
      case 0x81: { // NEWOBJ
        const args = pop();
        push(call(pop(), args, path));
        break;
      }
      case 0x62: { // BUILD
        const state = pop();
        build(top(), state, fail);
        break;
      }
      case 0x51: push(storage(pop(), fail)); break; // BINPERSID
      default:
        throw fail(`its pickle has the instruction 0x${opcode.toString(16).padStart(2, "0")}, which no weights file needs`);
    }
  }
}

/** BUILD sets attributes. Only a namespace keeps them; those of a dict (a state dict's versions) and of a dtype are dropped. */
function build(target: PyValue, state: PyValue, fail: (why: string) => Error): void {
  if (isTagged(target, "namespace")) {
    if (!(state instanceof Map)) throw fail("its pickle sets the fields of a namespace to no dict");
    for (const [key, value] of state) target.fields.set(key, value);
  } else if (!(target instanceof Map) && typeof target !== "string") {
    throw fail("its pickle sets attributes of a thing that has none");
  }
}

/** The persistent id that torch gives a storage: ("storage", type, key, location, numel[, view of an old format]). */
function storage(id: PyValue, fail: (why: string) => Error): PyStorage {
  const [kind, type, key, , numel, view] = isTagged(id, "tuple") ? (id as PyTuple).items : [];
  const valid = kind === "storage" && type !== undefined && isTagged(type, "global") && typeof key === "string";
  if (!valid || !/Storage$/.test(type.name) || !Number.isSafeInteger(numel) || (numel as number) < 0) {
    throw fail("it refers to a storage in a way that torch does not");
  }
  if (view !== undefined && view !== null) throw fail("it has storage views, which torch before 0.4 wrote");
  return { py: "storage", key, type: type.name.slice(type.name.lastIndexOf(".") + 1), numel: numel as number };
}

function unknownName(path: string, name: string): UserError {
  return new UserError(`Refused ${path}: it asks for the Python object ${quoted(name)}, which no weights file needs.`, {
    hint: "Such a file can run code when Python loads it. If you trust its origin, load it there and save its state dict alone.",
  });
}
