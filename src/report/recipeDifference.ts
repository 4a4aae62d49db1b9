// Recipes as flat lists of keys, to show what differs from the defaults or between two runs.

import { isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import { isObject } from "../util/untrusted/json.ts";

export type KeyDifference = { key: string; a: unknown; b: unknown };

/** Keys whose values differ, in the order of `a`, then those that only `b` has. What is not there is undefined. */
export function recipeDifference(a: Record<string, unknown>, b: Record<string, unknown>): KeyDifference[] {
  const [one, two] = [flat(a), flat(b)];
  return [...new Set([...one.keys(), ...two.keys()])]
    .filter((key) => !isDeepStrictEqual(one.get(key), two.get(key)))
    .map((key) => ({ key, a: one.get(key), b: two.get(key) }));
}

/** A value on one line, as the recipe would have it. */
export function shownValue(value: unknown): string {
  if (value === undefined) return "–";
  return stringify(value, { collectionStyle: "flow", lineWidth: 0 }).trimEnd();
}

/** Values by dotted key. Lists stay whole: their items have no names. */
function flat(value: Record<string, unknown>, prefix = ""): Map<string, unknown> {
  const keys = new Map<string, unknown>();
  for (const [name, child] of Object.entries(value)) {
    if (isObject(child)) {
      for (const [key, leaf] of flat(child, `${prefix}${name}.`)) keys.set(key, leaf);
    } else keys.set(prefix + name, child);
  }
  return keys;
}
