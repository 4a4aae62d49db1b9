// The box around a mask, for files that have the one and not the other.

import type { Instance, Mask } from "./instance.ts";
import { unpackRuns } from "./masks/runs.ts";

type Box = Instance["box"];

/** Around polygons their corners; around run lengths the pixels, as pycocotools' toBbox has it. Null: the mask is empty or damaged. */
export function maskBox(mask: Mask): Box | null {
  return "polygons" in mask ? polygonsBox(mask.polygons) : runsBox(mask);
}

function polygonsBox(polygons: readonly number[][]): Box | null {
  let box: Box | null = null;
  for (const polygon of polygons)
    for (let i = 0; i + 1 < polygon.length; i += 2) box = around(box, polygon[i]!, polygon[i + 1]!);
  return box;
}

/** Runs go down each column, columns from the left; every second one is the object's. */
function runsBox({ size: [height, width], counts }: Exclude<Mask, { polygons: number[][] }>): Box | null {
  const runs = typeof counts === "string" ? unpackRuns(counts) : counts;
  if (!runs) return null;
  let box: Box | null = null;
  let at = 0;
  for (const [i, run] of runs.entries()) {
    const end = at + run;
    if (!(run >= 0) || end > height * width) return null;
    if (i % 2 === 1 && run > 0) {
      const [left, right] = [Math.floor(at / height), Math.floor((end - 1) / height)];
      const [top, bottom] = left === right ? [at % height, (end - 1) % height] : [0, height - 1];
      box = around(around(box, left, top), right + 1, bottom + 1);
    }
    at = end;
  }
  return box;
}

function around(box: Box | null, x: number, y: number): Box {
  const [x1, y1, x2, y2] = box ?? [x, y, x, y];
  return [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
}
