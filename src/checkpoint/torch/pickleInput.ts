// The bytes of a pickle, read in order and never beyond their end.

import { damaged } from "../fileReader.ts";
import { shortest } from "./pickleValues.ts";

const MAX_INTEGER_BYTES = 32;

export type PickleInput = ReturnType<typeof pickleInput>;

/** Read from `start`; `path` is for messages. Every read throws a UserError where the bytes end too early. */
export function pickleInput(bytes: Uint8Array, start: number, path: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
  const i32 = () => view.getInt32(take(4), true);
  const f64 = () => view.getFloat64(take(8), false);
  return { at: () => at, u8, u16, u32, u64, i32, f64, text, raw, line, integer };
}
