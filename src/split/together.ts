// Images that must lie on the same side of a split, as sets: whatever links two of them puts them into one.

/** Links between so many items; `sets` gives each item the number of its set, counted from 0 in the order of the items. */
export function linkedSets(count: number): { link(a: number, b: number): boolean; sets(): number[] } {
  const parent = Array.from({ length: count }, (_, i) => i);
  const rootOf = (item: number): number => {
    let root = item;
    while (parent[root] !== root) root = parent[root]!;
    for (let at = item; at !== root; ) [at, parent[at]] = [parent[at]!, root];
    return root;
  };
  return {
    /** Whether they were apart before. */
    link(a, b) {
      const [one, two] = [rootOf(a), rootOf(b)];
      if (one === two) return false;
      parent[Math.max(one, two)] = Math.min(one, two);
      return true;
    },
    sets() {
      const numbers = new Map<number, number>();
      return parent.map((_, item) => {
        const root = rootOf(item);
        if (!numbers.has(root)) numbers.set(root, numbers.size);
        return numbers.get(root)!;
      });
    },
  };
}
