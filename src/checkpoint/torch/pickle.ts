// A restricted unpickler (Python's pickletools.py describes the format): it runs no code, knows a closed table of names, and its memory is bounded.

import { UserError } from "../../util/errors.ts";
import { damaged, quoted } from "../fileReader.ts";
import {
  call,
  isKnownGlobal,
  isTagged,
  type PyStorage,
  type PyTuple,
  type PyValue,
  shortest,
  tuple,
} from "./pickleValues.ts";

// A Lightning checkpoint with 1,200 tensors takes 40,000 instructions. Each makes at most one small object.
const MAX_INSTRUCTIONS = 1_000_000;
const MAX_INTEGER_BYTES = 32;
const STOP = 0x2e;

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
    if (!(dict instanceof Map) || items.length % 2 !== 0)
      throw fail("its pickle sets items of a thing that is no dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i] as PyValue, items[i + 1] as PyValue);
  };
  const reduce = () => {
    const args = pop();
    push(call(pop(), args, path));
  };
  const checkProtocol = (protocol: number) => {
    if (protocol < 2 || protocol > 5) throw fail(`its pickle has protocol ${protocol}`);
  };
  const remember = (index: number) => {
    memo.set(index, top());
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw fail("its pickle refers to a value that it did not make");
    push(value);
  };

  const instructions: Record<number, () => void> = {
    128: () => checkProtocol(u8()), // PROTO
    149: () => void u64(), // FRAME
    40: () => {
      outer.push(stack); // MARK
      stack = [];
    },
    48: () => void (stack.length > 0 ? pop() : popMark()), // POP
    49: () => void popMark(), // POP_MARK
    50: () => push(top()), // DUP
    78: () => push(null), // NONE
    136: () => push(true), // NEWTRUE
    137: () => push(false), // NEWFALSE
    74: () => push(view.getInt32(take(4), true)), // BININT
    75: () => push(u8()), // BININT1
    77: () => push(u16()), // BININT2
    138: () => push(integer(u8())), // LONG1
    139: () => push(integer(u32())), // LONG4
    71: () => push(view.getFloat64(take(8), false)), // BINFLOAT
    88: () => push(text(u32())), // BINUNICODE
    140: () => push(text(u8())), // SHORT_BINUNICODE
    141: () => push(text(u64())), // BINUNICODE8
    84: () => push(text(u32())), // BINSTRING
    85: () => push(text(u8())), // SHORT_BINSTRING
    66: () => push(raw(u32())), // BINBYTES
    67: () => push(raw(u8())), // SHORT_BINBYTES
    142: () => push(raw(u64())), // BINBYTES8
    150: () => push(raw(u64())), // BYTEARRAY8
    93: () => push([]), // EMPTY_LIST
    125: () => push(new Map()), // EMPTY_DICT
    143: () => push([]), // EMPTY_SET
    41: () => push(tuple([])), // EMPTY_TUPLE
    108: () => push(popMark()), // LIST
    116: () => push(tuple(popMark())), // TUPLE
    145: () => push(popMark()), // FROZENSET
    133: () => push(tuple([pop()])), // TUPLE1
    134: () => push(tuple([pop(), pop()].reverse())), // TUPLE2
    135: () => push(tuple([pop(), pop(), pop()].reverse())), // TUPLE3
    97: () => append([pop()]), // APPEND
    101: () => append(popMark()), // APPENDS
    144: () => append(popMark()), // ADDITEMS
    115: () => setItems([pop(), pop()].reverse()), // SETITEM
    117: () => setItems(popMark()), // SETITEMS
    113: () => remember(u8()), // BINPUT
    114: () => remember(u32()), // LONG_BINPUT
    148: () => remember(memo.size), // MEMOIZE
    104: () => recall(u8()), // BINGET
    106: () => recall(u32()), // LONG_BINGET
    99: () => push(global(line(), line())), // GLOBAL
    147: () => push(global(...([popText(), popText()].reverse() as [string, string]))), // STACK_GLOBAL
    82: () => reduce(), // REDUCE
    129: () => reduce(), // NEWOBJ
    98: () => {
      const state = pop(); // BUILD
      build(top(), state, fail);
    },
    81: () => push(storage(pop(), fail)), // BINPERSID
  };

  for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
    const opcode = u8();
    if (opcode === STOP) {
      if (stack.length !== 1 || outer.length > 0) throw fail("its pickle leaves values over");
      return { value: pop(), end: at };
    }
    const run = instructions[opcode];
    if (!run) throw fail(`its pickle has the instruction 0x${opcode.toString(16)}, which no weights file needs`);
    run();
  }
  throw fail(`its pickle has more than ${MAX_INSTRUCTIONS} instructions`);
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
