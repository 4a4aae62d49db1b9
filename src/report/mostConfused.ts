// The part of a confusion matrix that a page has room for.

import type { Confusion } from "../run/records/evaluation.ts";

/** Classes that a matrix shows at most. */
const MOST_CLASSES = 30;

/** The classes with the most mistakes, in their own order, where there are more than a page can show; the background stays. */
export function mostConfused({ classes, counts }: Confusion): Confusion {
  if (classes.length <= MOST_CLASSES) return { classes, counts };
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const mistakes = classes.map((_, i) => sum(counts[i]!) + sum(counts.map((row) => row[i]!)) - 2 * counts[i]![i]!);
  const worst = classes.map((_, i) => i).sort((a, b) => mistakes[b]! - mistakes[a]!);
  const shown = worst.slice(0, MOST_CLASSES).sort((a, b) => a - b);
  const places = [...shown, classes.length];
  return { classes: shown.map((i) => classes[i]!), counts: places.map((i) => places.map((j) => counts[i]![j]!)) };
}
