// Nested objects and arrays with leaves of one kind, addressed by dotted paths. No tensors are known here.

function isBranch(value: unknown): value is Record<string, unknown> | unknown[] {
  return (
    Array.isArray(value) ||
    (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
  );
}

/** Leaves in insertion order with their dotted paths, e.g. `["decoder.layers.0.norm1.weight", leaf]`. */
export function flatten<Leaf>(tree: unknown, prefix = ""): [string, Leaf][] {
  if (!isBranch(tree)) return [[prefix, tree as Leaf]];
  return Object.entries(tree).flatMap(([key, child]) => flatten<Leaf>(child, prefix === "" ? key : `${prefix}.${key}`));
}

/** A tree of the same shape with every leaf replaced by `fn(leaf, path)`. The caller names the result's type. */
export function mapTree<Result, Leaf = unknown>(
  tree: unknown,
  fn: (leaf: Leaf, path: string) => unknown,
  prefix = "",
): Result {
  if (!isBranch(tree)) return fn(tree as Leaf, prefix) as Result;
  const visit = (key: string, child: unknown) => mapTree(child, fn, prefix === "" ? key : `${prefix}.${key}`);
  if (Array.isArray(tree)) return tree.map((child, i) => visit(String(i), child)) as Result;
  return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, visit(key, child)])) as Result;
}
