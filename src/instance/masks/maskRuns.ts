// The pixels of a mask as a file has it, whatever it has: polygons drawn by the rule of its kind of file, run lengths checked.

import { UserError } from "../../util/errors.ts";
import type { Mask } from "../instance.ts";
import { pillowPolygonRuns } from "./pillowPolygon.ts";
import { polygonRuns } from "./polygon.ts";
import { type Runs, uniteRuns, unpackRuns } from "./runs.ts";

/** How polygons become pixels: as pycocotools draws them, or as Pillow does, which the reference uses for YOLO's files. */
export type PolygonRule = "coco" | "pillow";

/** Pixels of a mask, more than any image that is read has. */
const MOST_PIXELS = 2 ** 31;

/**
 * The pixels of a mask in an image of this size; without a size, of the one that its run lengths say. Throws a UserError:
 * `where` and what is wrong. Its time and memory are bounded whatever the file says.
 */
export function maskRuns(
  mask: Mask,
  { size, rule = "coco", where }: { size: Runs["size"] | null; rule?: PolygonRule; where: string },
): Runs {
  try {
    if ("counts" in mask) return checkedRuns(mask, size);
    if (size === null) throw new UserError("has a polygon for an image whose size is not known");
    const draw = rule === "coco" ? polygonRuns : pillowPolygonRuns;
    return uniteRuns(
      mask.polygons.map((polygon) => draw(polygon, size)),
      size,
    );
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    throw new UserError(`${where}: the mask ${cause.message}.`, { hint: HINT });
  }
}

const HINT = "Correct the annotation or take it out. `rfdetr-train check` lists all masks that cannot be used.";

function checkedRuns({ size: own, counts }: Extract<Mask, { counts: unknown }>, size: Runs["size"] | null): Runs {
  const [height, width] = own;
  if (![height, width].every((side) => Number.isInteger(side) && side > 0) || height * width > MOST_PIXELS)
    throw new UserError(`has the size ${JSON.stringify(own)}, which must be [height, width] of an image`);
  if (size && (size[0] !== height || size[1] !== width))
    throw new UserError(`is of an image of ${width} x ${height}, but its image is ${size[1]} x ${size[0]}`);
  const runs = typeof counts === "string" ? unpackRuns(counts) : counts;
  if (!runs) throw new UserError("has a text of run lengths that is damaged");
  let sum = 0;
  for (const run of runs) {
    if (!(Number.isInteger(run) && run >= 0)) throw new UserError(`has a run of ${run} pixels`);
    sum += run;
  }
  if (sum !== height * width)
    throw new UserError(`has runs of ${sum} pixels in all, but ${width} x ${height} are ${height * width}`);
  return { size: [height, width], counts: Uint32Array.from(runs) };
}
