// How a picture is cut into overlapping parts: rows of squares of one size, the last of each moved inward so that all are whole.

import { UserError } from "../../util/errors.ts";
import { parseJson } from "../../util/untrusted/json.ts";

/** Side of the parts in pixels of the picture, and how much of it neighbours have in common, from 0 to 0.9 of the side. */
export type Slices = { size: number; overlap: number };

/** A part of a picture, in whole pixels from its top left corner; `picture` is the size of all of it. */
export type PartArea = {
  left: number;
  top: number;
  width: number;
  height: number;
  picture: readonly [height: number, width: number];
};

/** Where nothing else is said: what SAHI takes. */
export const DEFAULT_OVERLAP = 0.2;
export const MOST_OVERLAP = 0.9;
/** Side of the smallest parts, in pixels. */
export const LEAST_SLICE = 32;
/** Parts of one picture: more than anybody has time for. */
const MOST_PARTS = 2 ** 16;
const LONGEST_TEXT = 1000;

/**
 * The parts of a picture, row by row; none where it is no larger than one. Along a side that is shorter than a part they are as
 * long as that. Throws a UserError where there would be more than 65536.
 */
export function partsOf([height, width]: PartArea["picture"], { size, overlap }: Slices): PartArea[] {
  if (width <= size && height <= size) return [];
  const step = Math.max(1, size - Math.trunc(overlap * size));
  const [columns, rows] = [width, height].map((length) => Math.ceil(Math.max(0, length - size) / step) + 1) as [number, number]; // biome-ignore format: one line
  if (columns * rows > MOST_PARTS)
    throw new UserError(
      `A picture of ${width} x ${height} has ${columns * rows} parts of ${size} pixels: that is more than ${MOST_PARTS}.`,
      { hint: "Take larger parts, or let them overlap less." },
    );
  const starts = (count: number, length: number) =>
    Array.from({ length: count }, (_, i) => Math.min(i * step, Math.max(0, length - size)));
  const [lefts, tops] = [starts(columns, width), starts(rows, height)];
  const [partWidth, partHeight] = [Math.min(size, width), Math.min(size, height)];
  return tops.flatMap((top) =>
    lefts.map((left) => ({ left, top, width: partWidth, height: partHeight, picture: [height, width] as const })),
  );
}

/** All of a picture as one part. */
export function wholeArea([height, width]: PartArea["picture"]): PartArea {
  return { left: 0, top: 0, width, height, picture: [height, width] };
}

/** The setting that a file carries, as an object or as its JSON; undefined for anything else. */
export function slicesFrom(value: unknown): Slices | undefined {
  const { size, overlap } = (asObject(value) ?? {}) as Partial<Slices>;
  return isSliceSize(size) && isOverlap(overlap) ? { size, overlap } : undefined;
}

/** Whether parts can have such a side. */
export function isSliceSize(size: unknown): size is number {
  return Number.isSafeInteger(size) && (size as number) >= LEAST_SLICE;
}

/** Whether parts can overlap by so much of their side. */
export function isOverlap(overlap: unknown): overlap is number {
  return typeof overlap === "number" && overlap >= 0 && overlap <= MOST_OVERLAP;
}

/** For people. */
export function describeSlices({ size, overlap }: Slices): string {
  return `parts of ${size} x ${size} pixels, overlap ${overlap}`;
}

function asObject(value: unknown): unknown {
  if (typeof value !== "string" || value.length > LONGEST_TEXT) return value;
  try {
    return parseJson(value, "slices");
  } catch {
    return undefined; // another program may mean something else by the key
  }
}
