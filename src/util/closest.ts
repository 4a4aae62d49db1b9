// "Did you mean": the known name that differs least from what was written.

/** The candidate with the smallest edit distance, where that is small enough to be a slip; else undefined. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[-_. ]/g, "");
  let best: string | undefined;
  let least = Math.max(1, Math.floor(plain(word).length / 3)) + 0.5;
  for (const candidate of candidates) {
    const [a, b] = [plain(word), plain(candidate)];
    // A word that was cut short ("aug" for "augment") or extended ("learning_rate" has no such candidate) counts little.
    const distance = a.length >= 3 && (b.startsWith(a) || a.startsWith(b)) ? 1 : editDistance(a, b);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Fewest insertions, deletions, replacements and swaps of neighbours between two words. */
function editDistance(a: string, b: string): number {
  const rows = [[...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min(row[j - 1]! + 1, rows[i - 1]![j]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, rows[i - 2]![j - 2]! + 1);
      row.push(d);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
