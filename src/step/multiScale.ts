// Multi-scale training: which sides images may have, and which one a step trains at (rfdetr/datasets/coco.py and
// rfdetr/training/module_model.py).

import type { Architecture } from "../architecture/variants.ts";
import { pythonChoice } from "../util/random/mersenne.ts";
import type { Fact } from "../util/text/fact.ts";

/** Windows of patches that a side may be shorter or longer than the model's own. */
const MOST_OFFSET = 5;
const LEAST_WINDOWS = 2;

/** The sides in pixels, ascending: the resolution and up to five steps of a window of patches each way. */
export function multiScaleSides({
  resolution,
  patchSize,
  numWindows,
}: Pick<Architecture, "resolution" | "patchSize" | "numWindows">): number[] {
  const unit = patchSize * numWindows;
  const base = Math.floor(resolution / unit);
  return Array.from({ length: 2 * MOST_OFFSET + 1 }, (_, i) => (base + i - MOST_OFFSET) * unit).filter(
    (side) => side >= LEAST_WINDOWS * unit,
  );
}

/** The side that all batches of an optimizer step are resized to; the first step is 0. The reference's own choice. */
export function sideOfStep(sides: readonly number[], step: number): number {
  return sides[pythonChoice(step, sides.length)]!;
}

/** What of a run is multi-scale: the sides that are drawn from for each update, or for each image, or neither. */
export type MultiScale = { perStep?: number[]; perImage?: number[]; facts: Fact[] };

/** What a recipe's `data.multi_scale` asks for. */
export function multiScale(mode: "per-batch" | "per-sample" | "off", architecture: Architecture): MultiScale {
  if (mode === "off") return { facts: [] };
  const sides = multiScaleSides(architecture);
  const about = (each: string): Fact[] => [
    {
      name: "Multi-scale",
      value: `${sides.length} sizes from ${sides[0]} to ${sides.at(-1)} pixels, one for each ${each}`,
    },
  ];
  if (mode === "per-batch") return { perStep: sides, facts: about("update") };
  return { perImage: sides, facts: about("image") };
}
