// Class heads for another list of classes: rows go where a class of the same name is, the rest starts from scratch.

import { fromFloat32, type StateDict, toFloat32 } from "../util/hostTensor.ts";

/** What became of the classes, by name: those whose rows were kept, and those that start from scratch. */
export type Transplant = { kept: string[]; fresh: string[] };

const CLASS_HEAD = /(^|\.)(enc_out_)?class_embed\.(\d+\.)?(weight|bias)$/;

/**
 * Give the class heads (names are the reference's) the rows of other classes. `from` and `to` name the classes row by
 * row; the last row of a head belongs to no class and is kept. Names are compared without regard to case, and blanks,
 * dashes and underscores are the same; of two rows with one name the first counts. `drawn`: freshly drawn weights of
 * the heads that are wanted, which give the shapes and the rows of classes that are new.
 */
export function transplantHeads(
  tensors: StateDict,
  from: readonly (string | undefined)[],
  to: readonly string[],
  drawn: StateDict,
): { tensors: StateDict } & Transplant {
  const rowOf = new Map<string, number>();
  for (const [row, name] of from.entries()) if (name !== undefined && !rowOf.has(key(name))) rowOf.set(key(name), row);
  const result = new Map(tensors);
  for (const [name, wanted] of drawn) {
    const old = tensors.get(name);
    if (!old || !CLASS_HEAD.test(name)) continue;
    const width = wanted.shape[1] ?? 1;
    if ((old.shape[1] ?? 1) !== width) continue; // another model; fitting it says so
    const [values, source] = [toFloat32(wanted).slice(), toFloat32(old)];
    const copy = (target: number, row: number) =>
      values.set(source.subarray(row * width, (row + 1) * width), target * width);
    for (const [label, className] of to.entries()) {
      const row = rowOf.get(key(className));
      if (row !== undefined) copy(label, row);
    }
    copy(wanted.shape[0]! - 1, old.shape[0]! - 1);
    result.set(name, fromFloat32(values, wanted.shape));
  }
  const known = (name: string) => rowOf.has(key(name));
  return { tensors: result, kept: to.filter(known), fresh: to.filter((name) => !known(name)) };
}

function key(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, " ");
}
