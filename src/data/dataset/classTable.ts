// The classes of one COCO file in the numbers of another: by name, as every file may number them in its own way.

import type { CocoFile } from "./coco.ts";
import type { ClassEntry, Problem, SplitName } from "./sample.ts";

/**
 * The file with the category ids of a class table (the training split's). A category of the same id and name stays as it is;
 * one whose name the table has under another id gets that id. Where an id means another class in the table and its name is
 * not there, its annotations are left out and it is one error.
 */
export function inClassTable(
  file: CocoFile,
  classes: readonly ClassEntry[],
  split: SplitName,
): { file: CocoFile; problems: Problem[] } {
  const tableNames = new Map(classes.map((one) => [one.categoryId, one.name]));
  const find = uniqueNames(classes);
  const used = new Set(file.annotations.map((entry) => String(entry.category_id)));
  const moved = new Map<string, number>();
  const clashing = new Set<string>();
  const problems: Problem[] = [];
  for (const { id, name } of file.categories) {
    const there = tableNames.get(id);
    if (there === name) continue;
    const own = find(name);
    if (own !== undefined && own !== id) moved.set(String(id), own);
    if (own !== undefined || there === undefined || !used.has(String(id))) continue;
    clashing.add(String(id));
    const message = `${file.path}: category ${id} is "${name}" here, but "${there}" in the training split, which has no "${name}".`;
    problems.push({ kind: "class-clash", severity: "error", split, file: file.path, message });
  }
  if (moved.size === 0 && clashing.size === 0) return { file, problems };
  const number = (id: unknown) => moved.get(String(id)) ?? id;
  return {
    file: {
      ...file,
      categories: file.categories.map((one) => ({ ...one, id: moved.get(String(one.id)) ?? one.id })),
      annotations: file.annotations.filter(({ category_id: id }) => !clashing.has(String(id))).map((entry) => ({ ...entry, category_id: number(entry.category_id) })), // biome-ignore format: one line
    },
    problems,
  };
}

/** The category id of a class by its name, capitals and outer spaces aside where that is needed; undefined for none or several. */
function uniqueNames(classes: readonly ClassEntry[]): (name: string) => number | undefined {
  const key = (name: string) => name.normalize("NFC").trim().toLowerCase();
  return (name) => {
    for (const same of [(other: string) => other === name, (other: string) => key(other) === key(name)]) {
      const found = classes.filter((one) => same(one.name));
      if (found.length > 0) return found.length === 1 ? found[0]!.categoryId : undefined;
    }
    return undefined;
  };
}
