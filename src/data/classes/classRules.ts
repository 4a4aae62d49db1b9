// data.classes: merges, renames, drops and keeps classes of a data set, by name.

import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import type { Fact } from "../../util/text/fact.ts";
import { isObject } from "../../util/untrusted/json.ts";
import { type Annotation, type ClassEntry, type LabelledData, SPLITS, type Split } from "../dataset/sample.ts";

/** What becomes of classes. Renaming and merging come first; `keep` and `drop` name classes as they were or as they are then. */
export type ClassRules = {
  keep?: string[] | undefined;
  drop?: string[] | undefined;
  /** From its name in the files to its new one. */
  rename?: Record<string, string> | undefined;
  /** From the new name to those in the files. */
  merge?: Record<string, string[]> | undefined;
};

/** The rules in a text of JSON, as weights files carry them; null where there are none, or it holds something else. */
export function classRulesFrom(text: unknown): ClassRules | null {
  const value: unknown = typeof text === "string" ? orNull(() => JSON.parse(text)) : null;
  if (!isObject(value)) return null;
  const { keep, drop, rename, merge } = value;
  const areNames = (given: unknown) =>
    given === undefined || (Array.isArray(given) && given.every((name) => typeof name === "string"));
  const isTable = (given: unknown, holds: (to: unknown) => boolean) =>
    given === undefined || (isObject(given) && Object.values(given).every(holds));
  const valid =
    areNames(keep) && areNames(drop) && isTable(rename, (to) => typeof to === "string") && isTable(merge, (from) => from !== undefined && areNames(from)); // biome-ignore format: one line
  return valid ? ({ keep, drop, rename, merge } as ClassRules) : null;
}

function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

/**
 * The data set with its classes as the rules have them, in the order of their first labels, and what that did as a fact of it.
 * `lenient`: a rule about a class that is not there says nothing, for rules of a run on another data set. Throws a UserError where
 * a rule names no class of the set, two contradict each other, or no class is left.
 */
export function withClassRules<Data extends LabelledData>(
  dataset: Data,
  rules: ClassRules | null | undefined,
  { lenient = false }: { lenient?: boolean } = {},
): Data {
  if (!rules) return dataset;
  const names = newNames(rules, dataset.classes, lenient);
  const targets = new Set(names.values());
  const nameOf = ({ name }: ClassEntry) => names.get(name) ?? name;
  const isKept = chosen(rules, dataset.classes, { nameOf, lenient });
  const table = new Map<number, ClassEntry>();
  const members = new Map<string, ClassEntry[]>();
  for (const one of dataset.classes) {
    if (!isKept(one)) continue;
    const name = nameOf(one);
    const key = targets.has(name) ? `new ${name}` : `label ${one.label}`; // classes of one name are two, unless a rule made them one
    members.set(key, [...(members.get(key) ?? []), one]);
  }
  if (members.size === 0)
    throw new UserError("data.classes leaves no class.", { hint: `The data set has ${list(dataset.classes)}.` });
  const classes = [...members.values()].map((some, label): ClassEntry => {
    const name = nameOf(some[0]!);
    const { categoryId } = some.find((one) => one.name === name) ?? some[0]!;
    const entry = { name, categoryId, label };
    for (const one of some) table.set(one.label, entry);
    return entry;
  });
  const dropped = new Map<string, number>();
  let emptied = 0;
  const mapped = ({ annotations, ...sample }: Split["samples"][number]) => {
    const kept = annotations.flatMap((one): Annotation[] => {
      const entry = table.get(one.label);
      return entry ? [{ ...one, label: entry.label, categoryId: entry.categoryId }] : [];
    });
    for (const { label, crowd } of annotations) {
      if (table.has(label) || crowd) continue;
      const { name } = dataset.classes[label]!;
      dropped.set(name, (dropped.get(name) ?? 0) + 1);
    }
    if (annotations.length > 0 && kept.length === 0) emptied++;
    return { ...sample, annotations: kept };
  };
  const splits: LabelledData["splits"] = {};
  for (const name of SPLITS) {
    const split = dataset.splits[name];
    if (split) splits[name] = { ...split, samples: split.samples.map(mapped) };
  }
  const gone = dataset.classes.filter(({ label }) => !table.has(label)).map(({ name }) => name);
  const facts = describe({ members: [...members.values()], classes, gone, dropped, emptied });
  return { ...dataset, classes, splits, notes: [...(dataset.notes ?? []), ...facts] };
}

/** The new name of each class that is renamed or merged, by its name in the files. */
function newNames(
  { rename = {}, merge = {} }: ClassRules,
  classes: readonly ClassEntry[],
  lenient: boolean,
): Map<string, string> {
  const known = new Set(classes.map(({ name }) => name));
  const names = new Map<string, string>();
  const put = (from: string, to: string, key: string) => {
    if (!known.has(from) && lenient) return;
    if (!known.has(from)) throw unknown(key, from, [...known]);
    const before = names.get(from);
    if (before !== undefined && before !== to)
      throw new UserError(`data.classes gives "${from}" two names: ${before} and ${to}.`, {
        hint: "Name each class in one of rename and merge only.",
      });
    names.set(from, to);
  };
  for (const [from, to] of Object.entries(rename)) put(from, to, "rename");
  for (const [to, all] of Object.entries(merge)) for (const from of all) put(from, to, `merge.${to}`);
  return names;
}

/** Whether a class stays. */
function chosen(
  { keep, drop }: ClassRules,
  classes: readonly ClassEntry[],
  { nameOf, lenient }: { nameOf: (one: ClassEntry) => string; lenient: boolean },
): (one: ClassEntry) => boolean {
  const known = new Set(classes.flatMap((one) => [one.name, nameOf(one)]));
  for (const [key, given] of Object.entries({ keep, drop }))
    for (const name of given ?? []) if (!known.has(name) && !lenient) throw unknown(key, name, [...known]);
  const both = keep?.find((name) => drop?.includes(name));
  if (both !== undefined) throw new UserError(`data.classes both keeps and drops "${both}".`);
  const isIn = (given: readonly string[], one: ClassEntry) => given.includes(one.name) || given.includes(nameOf(one));
  return (one) => (keep === undefined || isIn(keep, one)) && !(drop && isIn(drop, one));
}

function describe({
  members,
  classes,
  gone,
  dropped,
  emptied,
}: {
  members: ClassEntry[][];
  classes: ClassEntry[];
  gone: string[];
  dropped: ReadonlyMap<string, number>;
  emptied: number;
}): Fact[] {
  const merged = members.flatMap((some, i) =>
    some.length > 1 ? [`${some.map(({ name }) => name).join(", ")} are ${classes[i]!.name}`] : [],
  );
  const renamed = members.flatMap(([one, ...more], i) =>
    more.length === 0 && one!.name !== classes[i]!.name ? [`${one!.name} is ${classes[i]!.name}`] : [],
  );
  const without = gone.map((name) => `${name} (${dropped.get(name) ?? 0} boxes)`);
  const parts = [
    ...merged,
    ...renamed,
    ...(without.length > 0 ? [`dropped are ${without.join(", ")}`] : []),
    ...(emptied > 0 ? [`${emptied} image${emptied === 1 ? " has" : "s have"} no box any more`] : []),
  ];
  return parts.length > 0 ? [{ name: "Classes (data.classes)", value: parts.join("; ") }] : [];
}

function unknown(key: string, name: string, known: readonly string[]): UserError {
  const meant = closest(name, known);
  return new UserError(
    `data.classes.${key}: the data set has no class "${name}".${meant ? ` Did you mean "${meant}"?` : ""}`,
    { hint: `Its classes are ${known.join(", ")}.` },
  );
}

function list(classes: readonly ClassEntry[]): string {
  return classes.map(({ name }) => name).join(", ");
}
