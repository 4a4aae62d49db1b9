// What each key of a recipe is, takes and defaults to, for a person who asks for it by name.

import { closest } from "../util/closest.ts";
import { UserError } from "../util/errors.ts";
import { OTHER_NAMES } from "./explain.ts";
import { type JsonSchema, recipeJsonSchema } from "./jsonSchema.ts";

/** One key. `keys` are those of its section, where it is one; `default` is undefined where there is none. */
export type KeyEntry = { key: string; takes: string; default: unknown; description: string; keys: KeyEntry[] };

/** Entries of all keys, sections with theirs inside. */
function entriesOf(schema: JsonSchema, above: string[]): KeyEntry[] {
  return Object.entries(keysOf(schema)).map(([name, value]) => ({
    key: [...above, name].join("."),
    takes: takes(value),
    default: value.default,
    description: value.description ?? "",
    keys: entriesOf(value, [...above, name]),
  }));
}

/** The keys that a value may have, through alternatives and lists; steps of a list that have a name stand under it. */
function keysOf(schema: JsonSchema): Record<string, JsonSchema> {
  const name = schema.properties?.name?.const;
  if (typeof name === "string") return { [name]: withoutName(schema) };
  const inside = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])];
  const keys: Record<string, JsonSchema> = { ...schema.properties };
  for (const [key, value] of inside.flatMap((one) => Object.entries(keysOf(one)))) keys[key] ??= value;
  return keys;
}

function withoutName({ properties, ...schema }: JsonSchema): JsonSchema {
  const { name, ...others } = properties ?? {};
  return { ...schema, properties: others, description: `A step of the list, by its name: ${String(name?.const)}` };
}

function hasNames(items: JsonSchema): boolean {
  return [...(items.anyOf ?? []), ...(items.oneOf ?? [])].some(
    ({ properties }) => properties?.name?.const !== undefined,
  );
}

/** All keys of a recipe, sections before what is in them. */
export function allKeys(): KeyEntry[] {
  const flat = (entry: KeyEntry): KeyEntry[] => [entry, ...entry.keys.flatMap(flat)];
  return entriesOf(recipeJsonSchema(), []).flatMap(flat);
}

/** The entry of a key such as "train.lr"; places in lists are left out: "train.stages[0].train" is "train.stages.train". */
export function keyEntry(key: string): KeyEntry {
  const name = plainName(key);
  const entries = allKeys();
  const found = entries.find((entry) => entry.key === name);
  if (found) return found;
  const meant = likely(name, entries.map((entry) => entry.key)); // biome-ignore format: one line
  throw new UserError(`A recipe has no key ${key}.${meant ? ` Did you mean ${meant}?` : ""}`, {
    hint: "List all keys: rfdetr-train recipes --explain all; those of a section: rfdetr-train recipes --explain train",
  });
}

/** The key that was probably meant: another program's word for it, one of the same name or nearly so, in its section first. */
function likely(name: string, keys: readonly string[]): string | undefined {
  const last = (text: string) => text.split(".").at(-1)!;
  const word = last(name);
  if (Object.hasOwn(OTHER_NAMES, word)) return OTHER_NAMES[word];
  const beside = keys.filter((key) => key.startsWith(name.slice(0, name.lastIndexOf(".") + 1)));
  for (const some of [beside, keys]) {
    const near = some.some((key) => last(key) === word) ? word : closest(word, some.map(last));
    if (near !== undefined) return some.find((key) => last(key) === near);
  }
  return undefined;
}

/** The longest part of a key that exists, from the left; undefined where there is none. */
export function nearestKey(key: string): string | undefined {
  const names = new Set(allKeys().map((entry) => entry.key));
  const parts = plainName(key).split(".");
  const length = parts.findLastIndex((_, i) => names.has(parts.slice(0, i + 1).join("."))) + 1;
  return length > 0 ? parts.slice(0, length).join(".") : undefined;
}

const plainName = (key: string) => key.replaceAll(/\[\d+\]|\.\d+(?=\.|$)/g, "");

/** What a value may be, in words: "a whole number from 1, or auto". */
function takes(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(takes).join(", or ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return `one of ${schema.enum.join(", ")}`;
  switch (schema.type) {
    case "object":
      return typeof schema.additionalProperties === "object"
        ? `names, each with ${takes(schema.additionalProperties)}`
        : "a section of keys";
    case "array":
      if (schema.items && hasNames(schema.items)) return "a list of steps, each with its name and keys";
      return `a list, each ${takes(schema.items ?? {})}`;
    case "boolean":
      return "true or false";
    case "string":
      return "a text";
    case "integer":
    case "number":
      return `${schema.type === "integer" ? "a whole number" : "a number"}${bounds(schema)}`;
    default:
      return String(schema.type);
  }
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const parts = [
    minimum !== undefined && ` from ${minimum}`,
    exclusiveMinimum !== undefined && ` above ${exclusiveMinimum}`,
    maximum !== undefined && ` up to ${maximum}`,
    exclusiveMaximum !== undefined && ` below ${exclusiveMaximum}`,
  ];
  return parts.filter(Boolean).join("");
}
