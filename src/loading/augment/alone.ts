// Each augmentation by itself, done to every picture, so that it can be seen and timed.

import { type Augment, stepsOf } from "./augment.ts";

/** One entry for each augmentation that is on, in the order in which they are done; a name that comes again has a number. */
export function alone(augment: Augment): { name: string; augment: Augment }[] {
  const seen = new Map<string, number>();
  return stepsOf(augment)
    .filter(({ p }) => p > 0)
    .map((step) => {
      const times = (seen.get(step.name) ?? 0) + 1;
      seen.set(step.name, times);
      return { name: times === 1 ? step.name : `${step.name}-${times}`, augment: [{ ...step, p: 1 }] };
    });
}
