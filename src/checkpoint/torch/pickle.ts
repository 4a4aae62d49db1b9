// A restricted unpickler (Python's pickletools.py describes the format): it runs no code, knows a closed table of names, and its memory is bounded.

import { damaged } from "../fileReader.ts";
import { type PickleInput, pickleInput } from "./pickleInput.ts";
import { type PickleMachine, pickleMachine } from "./pickleMachine.ts";
import { type PyValue, tuple } from "./pickleValues.ts";

// A Lightning checkpoint with 1,200 tensors takes 40,000 instructions. Each makes at most one small object.
const MAX_INSTRUCTIONS = 1_000_000;
const STOP = 0x2e;

export type Unpickled = { value: PyValue; end: number };

/**
 * Read one pickle (protocols 2 to 5) that starts at `start`; `end` is where the next byte after it stands.
 * `path` is for messages. Throws a UserError for anything that a weights file has no need of, with its name.
 */
export function unpickle(bytes: Uint8Array, start: number, path: string): Unpickled {
  const input = pickleInput(bytes, start, path);
  const machine = pickleMachine(path);
  for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
    const opcode = input.u8();
    if (opcode === STOP) return { value: machine.result(), end: input.at() };
    const run = INSTRUCTIONS[opcode];
    if (!run)
      throw damaged(path, `its pickle has the instruction 0x${opcode.toString(16)}, which no weights file needs`);
    run(machine, input);
  }
  throw damaged(path, `its pickle has more than ${MAX_INSTRUCTIONS} instructions`);
}

/** What each instruction does, by its byte; those that weights files have no need of are missing. */
const INSTRUCTIONS: Record<number, (machine: PickleMachine, input: PickleInput) => void> = {
  128: (m, i) => m.checkProtocol(i.u8()), // PROTO
  149: (_, i) => void i.u64(), // FRAME
  40: (m) => m.mark(), // MARK
  48: (m) => m.drop(), // POP
  49: (m) => void m.popMark(), // POP_MARK
  50: (m) => m.push(m.top()), // DUP
  78: (m) => m.push(null), // NONE
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  74: (m, i) => m.push(i.i32()), // BININT
  75: (m, i) => m.push(i.u8()), // BININT1
  77: (m, i) => m.push(i.u16()), // BININT2
  138: (m, i) => m.push(i.integer(i.u8())), // LONG1
  139: (m, i) => m.push(i.integer(i.u32())), // LONG4
  71: (m, i) => m.push(i.f64()), // BINFLOAT
  88: (m, i) => m.push(i.text(i.u32())), // BINUNICODE
  140: (m, i) => m.push(i.text(i.u8())), // SHORT_BINUNICODE
  141: (m, i) => m.push(i.text(i.u64())), // BINUNICODE8
  84: (m, i) => m.push(i.text(i.u32())), // BINSTRING
  85: (m, i) => m.push(i.text(i.u8())), // SHORT_BINSTRING
  66: (m, i) => m.push(i.raw(i.u32())), // BINBYTES
  67: (m, i) => m.push(i.raw(i.u8())), // SHORT_BINBYTES
  142: (m, i) => m.push(i.raw(i.u64())), // BINBYTES8
  150: (m, i) => m.push(i.raw(i.u64())), // BYTEARRAY8
  93: (m) => m.push([]), // EMPTY_LIST
  125: (m) => m.push(new Map()), // EMPTY_DICT
  143: (m) => m.push([]), // EMPTY_SET
  41: (m) => m.push(tuple([])), // EMPTY_TUPLE
  108: (m) => m.push(m.popMark()), // LIST
  116: (m) => m.push(tuple(m.popMark())), // TUPLE
  145: (m) => m.push(m.popMark()), // FROZENSET
  133: (m) => m.push(tuple([m.pop()])), // TUPLE1
  134: (m) => m.push(tuple([m.pop(), m.pop()].reverse())), // TUPLE2
  135: (m) => m.push(tuple([m.pop(), m.pop(), m.pop()].reverse())), // TUPLE3
  97: (m) => m.append([m.pop()]), // APPEND
  101: (m) => m.append(m.popMark()), // APPENDS
  144: (m) => m.append(m.popMark()), // ADDITEMS
  115: (m) => m.setItems([m.pop(), m.pop()].reverse()), // SETITEM
  117: (m) => m.setItems(m.popMark()), // SETITEMS
  113: (m, i) => m.remember(i.u8()), // BINPUT
  114: (m, i) => m.remember(i.u32()), // LONG_BINPUT
  148: (m) => m.memoize(), // MEMOIZE
  104: (m, i) => m.recall(i.u8()), // BINGET
  106: (m, i) => m.recall(i.u32()), // LONG_BINGET
  99: (m, i) => m.push(m.global(i.line(), i.line())), // GLOBAL
  147: (m) => m.push(m.global(...([m.popText(), m.popText()].reverse() as [string, string]))), // STACK_GLOBAL
  82: (m) => m.reduce(), // REDUCE
  129: (m) => m.reduce(), // NEWOBJ
  98: (m) => m.build(), // BUILD
  81: (m) => m.persist(), // BINPERSID
};
