// Average precision of detections that are known to be right or wrong, as tidecv computes it: a mean over 101 recalls, then over the classes.

/** A detection: of what class it counts as, and whether it is right. */
export type Point = { categoryId: number; correct: boolean };

const RECALLS = 101;

/**
 * The mean over the classes that have an object or a point; a class without objects counts as 0. Null where there is no class.
 * `points`: the best first, null for one that does not count. `objects`: how many there are to find, by class.
 */
export function averagePrecision(
  points: readonly (Point | null)[],
  objects: ReadonlyMap<number, number>,
): number | null {
  type Found = { points: number; precisions: number[] };
  const classes = new Map<number, Found>();
  for (const [categoryId, count] of objects) if (count > 0) classes.set(categoryId, { points: 0, precisions: [] });
  for (const point of points) {
    if (!point) continue;
    const found = classes.get(point.categoryId) ?? { points: 0, precisions: [] };
    classes.set(point.categoryId, found);
    found.points++;
    if (point.correct) found.precisions.push((found.precisions.length + 1) / found.points);
  }
  if (classes.size === 0) return null;
  let sum = 0;
  for (const [categoryId, { precisions }] of classes) sum += ofOneClass(precisions, objects.get(categoryId) ?? 0);
  return sum / classes.size;
}

/** `precisions`: at each detection that is right. Between two of them precision is at its best at the second. */
function ofOneClass(precisions: readonly number[], objects: number): number {
  if (objects === 0) return 0;
  const best = [...precisions];
  for (let i = best.length - 1; i > 0; i--) best[i - 1] = Math.max(best[i - 1]!, best[i]!);
  let [sum, i] = [0, 0];
  for (let r = 0; r < RECALLS; r++) {
    while (i < best.length && (i + 1) / objects < r / (RECALLS - 1)) i++;
    sum += best[i] ?? 0;
  }
  return sum / RECALLS;
}
