// The classes of COCO 2017: category ids run from 1 to 90 with gaps, and the published weights have one logit for each id.

import type { ClassEntry } from "./sample.ts";

const NAMES: readonly (readonly [firstId: number, names: string])[] = [
  [1, "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant"],
  [13, "stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe"],
  [27, "backpack,umbrella"],
  [31, "handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard"],
  [42, "surfboard,tennis racket,bottle"],
  [46, "wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut"],
  [61, "cake,chair,couch,potted plant,bed"],
  [67, "dining table"],
  [70, "toilet"],
  [72, "tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator"],
  [84, "book,clock,vase,scissors,teddy bear,hair drier,toothbrush"],
];

/** The 80 classes in the order of their ids; a published model's label is the category id itself. */
export const COCO_CLASSES: readonly ClassEntry[] = NAMES.flatMap(([first, names]) =>
  names.split(",").map((name, i) => ({ name, categoryId: first + i, label: first + i })),
);

/**
 * The class table of weights with `numClasses + 1` logits. As in the reference, weights of 91 logits with COCO's names or
 * none have COCO's ids as labels; otherwise the names are those of the labels from 0, and what has no name is called by
 * its number.
 */
export function classTable(
  { classNames, categoryIds }: { classNames?: string[]; categoryIds?: number[] },
  numClasses: number,
): ClassEntry[] {
  const isCoco = !classNames || classNames.join() === COCO_CLASSES.map(({ name }) => name).join();
  if (numClasses === 90 && !categoryIds && isCoco) return [...COCO_CLASSES];
  const count = classNames ? Math.min(classNames.length, numClasses + 1) : numClasses;
  return Array.from({ length: count }, (_, label) => ({
    name: classNames?.[label] ?? `class ${label}`,
    categoryId: categoryIds?.[label] ?? label,
    label,
  }));
}
