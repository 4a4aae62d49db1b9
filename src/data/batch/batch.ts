// One batch: images of the same side in one array, and what belongs to them.

import type { Target } from "../../instance/instance.ts";
import type { Sample } from "../dataset/sample.ts";
import type { Prepared } from "./prepare.ts";

/** Images `[batch, height, width, 3]`, normalised, and what belongs to them, all in the same order. */
export type Batch = {
  images: Float32Array;
  /** `[batch, height, width]`, 1 where an image is padding (zeros, right and below); absent where none is. */
  mask?: Uint8Array | undefined;
  shape: [batch: number, height: number, width: number, channels: 3];
  targets: Target[];
  imageIds: number[];
  files: string[];
  /** Of the files, before any resize. */
  originalSizes: [height: number, width: number][];
  /** Images that could not be read: another one of the order was taken for each in training, none in evaluation. */
  broken: BrokenImage[];
  /** Seconds that the consumer waited for this batch. */
  wait: number;
};

/** `message` names the file and what is wrong with it. */
export type BrokenImage = { imageId: number; message: string };

/** A batch that is being filled: `put` as images come, in any order; `close` leaves out the places that none came for. */
export function openBatch(sides: readonly number[]): {
  put(place: number, sample: Sample, prepared: Prepared): void;
  close(): Omit<Batch, "broken" | "wait">;
} {
  const side = Math.max(...sides);
  const size = side * side * 3;
  const images = new Float32Array(sides.length * size);
  const parts: ({ sample: Sample; target: Target; originalSize: [number, number] } | undefined)[] = sides.map(
    () => undefined,
  );
  return {
    put: (place, sample, { pixels, target, width, height }) => {
      const [own, first] = [3 * sides[place]!, place * size];
      if (own === 3 * side) images.set(pixels, first);
      else
        for (let y = 0; y < sides[place]!; y++)
          images.set(pixels.subarray(y * own, (y + 1) * own), first + y * side * 3);
      parts[place] = { sample, target, originalSize: [height, width] };
    },
    close: () => {
      const kept = parts.flatMap((part, place) => (part ? [{ ...part, place }] : []));
      for (const [to, { place }] of kept.entries())
        if (to !== place) images.copyWithin(to * size, place * size, (place + 1) * size);
      const own = kept.map(({ place }) => sides[place]!);
      const mask = own.some((one) => one < side) ? paddingOf(own, side) : undefined;
      return {
        images: kept.length < parts.length ? images.subarray(0, kept.length * size) : images,
        ...(mask && { mask }),
        shape: [kept.length, side, side, 3],
        targets: kept.map(({ target }) => target),
        imageIds: kept.map(({ sample }) => sample.imageId),
        files: kept.map(({ sample }) => sample.file),
        originalSizes: kept.map(({ originalSize }) => originalSize),
      };
    },
  };
}

/** [batch, side, side], 1 outside of each image's own square. */
function paddingOf(sides: readonly number[], side: number): Uint8Array {
  const mask = new Uint8Array(sides.length * side * side);
  for (const [i, own] of sides.entries())
    for (let y = 0; y < side; y++) mask.fill(1, (i * side + y) * side + (y < own ? own : 0), (i * side + y + 1) * side);
  return mask;
}
