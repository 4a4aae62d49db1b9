// Each augmentation by itself, done as often as it can be, so that it can be seen and timed.

import type { Augment } from "./augment.ts";

/** One entry for each augmentation that is on, in the order in which they are done. */
export function alone(augment: Augment): { name: string; augment: Augment }[] {
  const nothing: Augment = { scale_jitter: false, horizontal_flip: 0 };
  return [
    ...(augment.scale_jitter ? [{ name: "scale_jitter", augment: { ...nothing, scale_jitter: true } }] : []),
    ...(augment.horizontal_flip > 0 ? [{ name: "horizontal_flip", augment: { ...nothing, horizontal_flip: 1 } }] : []),
  ];
}
