// The classes of one COCO file in the numbers of another: by name, as every file may number them in its own way.

import type { CocoFile } from "./coco.ts";
import { type ClassEntry, nameKey, type Problem, type SplitName } from "./sample.ts";

/**
 * The file with the category ids of a class table (the training split's). A category whose name the table has under another id
 * gets that id. An id that means another class in the table is one error, and its annotations are left out: which of the two
 * the annotations mean, nobody can say.
 */
export function inClassTable(
  file: CocoFile,
  classes: readonly ClassEntry[],
  split: SplitName,
): { file: CocoFile; problems: Problem[] } {
  const table = new Map(classes.map((one) => [one.categoryId, one.name]));
  const used = new Set(file.annotations.map((entry) => String(entry.category_id)));
  const moved = new Map<string, number>();
  const clashing = new Set<string>();
  const problems: Problem[] = [];
  for (const { id, name } of file.categories) {
    const there = table.get(id);
    if (there === undefined) {
      const own = idOf(name, classes);
      if (own !== undefined) moved.set(String(id), own);
    } else if (nameKey(there) !== nameKey(name) && used.has(String(id))) {
      clashing.add(String(id));
      const message = `${file.path}: category ${id} has the name "${name}" here, but "${there}" in the training split: number the classes of all splits alike.`;
      problems.push({ kind: "class-clash", severity: "error", split, file: file.path, message });
    }
  }
  if (moved.size === 0 && clashing.size === 0) return { file, problems };
  const number = (id: unknown) => moved.get(String(id)) ?? id;
  const annotations = file.annotations
    .filter(({ category_id: id }) => !clashing.has(String(id)))
    .map((entry) => ({ ...entry, category_id: number(entry.category_id) }));
  const categories = file.categories.map((one) => ({ ...one, id: moved.get(String(one.id)) ?? one.id }));
  return { file: { ...file, categories, annotations }, problems };
}

/** The category id of a class by its name; undefined for none or several. */
function idOf(name: string, classes: readonly ClassEntry[]): number | undefined {
  const exact = classes.filter((one) => one.name === name);
  const found = exact.length > 0 ? exact : classes.filter((one) => nameKey(one.name) === nameKey(name));
  return found.length === 1 ? found[0]!.categoryId : undefined;
}
