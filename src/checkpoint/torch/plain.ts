// Python values as JSON, with a bound on how much a shared or cyclic value may unfold to.

import { damaged } from "../fileReader.ts";
import { isTagged, type PyValue } from "./pickleValues.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const MAX_NODES = 200_000;
const MAX_DEPTH = 32;
const MAX_TEXT = 4 * 2 ** 20;

/** A value as JSON: namespaces and dicts become objects, tuples arrays; integers beyond 2^53, bytes and tensors a text. */
function plain(path: string, value: PyValue): Json {
  let nodes = 0;
  let letters = 0; // one long text may be referred to many times
  const convert = (item: PyValue, depth: number): Json => {
    nodes++;
    if (nodes > MAX_NODES || depth > MAX_DEPTH) throw damaged(path, "its training arguments are nested without end");
    if (typeof item === "string") letters += item.length;
    if (letters > MAX_TEXT) throw damaged(path, `its training arguments hold more than ${MAX_TEXT} letters`);
    if (item === null || typeof item === "boolean" || typeof item === "number" || typeof item === "string") return item;
    if (typeof item === "bigint") return String(item);
    if (Array.isArray(item)) return item.map((child) => convert(child, depth + 1));
    if (item instanceof Map) return object(item, depth);
    if (item instanceof Uint8Array) return `bytes(${item.length})`;
    if (isTagged(item, "tuple")) return item.items.map((child) => convert(child, depth + 1));
    if (isTagged(item, "namespace")) return object(item.fields, depth);
    if (isTagged(item, "global")) return item.name;
    return isTagged(item, "tensor") ? `tensor[${item.shape}]` : "storage";
  };
  // fromEntries defines properties, so a key such as __proto__ is a key like any other.
  const object = (map: Map<PyValue, PyValue>, depth: number): Json =>
    Object.fromEntries(
      [...map].map(([key, child]): [string, Json] => {
        const name = convert(key, depth + 1);
        return [typeof name === "object" ? JSON.stringify(name) : String(name), convert(child, depth + 1)];
      }),
    );
  return convert(value, 0);
}

/** A dict or a namespace as a record; anything else is undefined. */
export function plainRecord(path: string, value: PyValue | undefined): Record<string, Json> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof Map) && !isTagged(value, "namespace")) return undefined;
  return plain(path, value) as Record<string, Json>;
}
