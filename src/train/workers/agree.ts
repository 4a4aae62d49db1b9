// What the workers of a run decide together after each step: one that stopped alone would leave the others waiting.

import type { Run } from "../liveRun.ts";

/** `outOfTime`: train.max_hours are used up, by the first worker's clock. */
export type Wishes = { stop: boolean; save: boolean; outOfTime: boolean };

/** What any of the workers wishes, the same answer on all of them. */
export function agree(
  { workers, recipe: { train }, seconds }: Pick<Run, "workers" | "recipe" | "seconds">,
  { stop = false, save = false }: { stop?: boolean | undefined; save?: boolean | undefined },
): Wishes {
  const outOfTime = workers.isFirst && train.max_hours !== null && seconds() >= train.max_hours * 3600;
  const [stops, saves, late] = workers.sum([stop, save, outOfTime].map(Number)) as [number, number, number];
  return { stop: stops > 0, save: saves > 0, outOfTime: late > 0 };
}
