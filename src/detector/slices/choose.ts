// In which parts a detector looks at pictures: as it was asked to, else as it was trained.

import { DEFAULT_OVERLAP, isOverlap, isSliceSize, LEAST_SLICE, MOST_OVERLAP, type Slices } from "../../instance/slices/layout.ts"; // biome-ignore format: one line
import { UserError } from "../../util/errors.ts";

/**
 * Parts of this size, in pixels of the picture, overlapping by this share of it (default 0.2); "trained": those that the weights
 * were trained on; "none": whole pictures.
 */
export type AskedSlices = { size: number; overlap?: number | undefined } | "trained" | "none";

/**
 * What is asked for, by default the parts that the weights were trained on, if any. Throws a UserError for numbers that mean nothing,
 * and where the weights say nothing of the parts that are asked for.
 */
export function chooseSlices(
  asked: AskedSlices | undefined,
  { slices, source }: { slices: Slices | undefined; source: string },
): Slices | undefined {
  if (asked === "none") return undefined;
  if (asked === undefined) return slices;
  if (asked === "trained") {
    if (slices) return slices;
    throw new UserError(`${source} says nothing of parts: it was trained on whole pictures.`, {
      hint: "Say how large they shall be, such as --slices 640.",
    });
  }
  const { size, overlap = DEFAULT_OVERLAP } = asked;
  if (!isSliceSize(size))
    throw new UserError(`The side of slices is ${size}; it must be a whole number of pixels from ${LEAST_SLICE}.`);
  if (!isOverlap(overlap))
    throw new UserError(`The overlap of slices is ${overlap}; it must lie from 0 to ${MOST_OVERLAP}.`);
  return { size, overlap };
}
