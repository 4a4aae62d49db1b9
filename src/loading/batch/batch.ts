// One batch: images of the same side in one array, and what belongs to them.

import type { Sample } from "../../data/dataset/sample.ts";
import type { Target } from "../../instance/instance.ts";
import type { PartArea } from "../../instance/slices/layout.ts";

/** Images `[batch, height, width, 3]`, normalised, and what belongs to them, all in the same order. */
export type Batch = {
  images: Float32Array;
  /** `[batch, height, width]`, 1 where an image is padding (zeros, right and below); absent where none is. */
  mask?: Uint8Array | undefined;
  shape: [batch: number, height: number, width: number, channels: 3];
  targets: Target[];
  imageIds: number[];
  files: string[];
  /** Of the files, or of the parts of them that the images are, before any resize. */
  originalSizes: [height: number, width: number][];
  /** The parts that images are; undefined for a whole one, absent where all are whole. */
  areas?: (PartArea | undefined)[] | undefined;
  /** Images that could not be read: another one of the order was taken for each in training, none in evaluation. */
  broken: BrokenImage[];
  /** Seconds that the consumer waited for this batch. */
  wait: number;
};

/** `message` names the file and what is wrong with it. */
export type BrokenImage = { imageId: number; message: string };

/** What a place of a batch holds: the image that stands there, prepared, and the side of its own square. */
export type PlacedImage = { sample: Sample; target: Target; width: number; height: number; side: number };

/** The batch of prepared pixels `[places, side, side, 3]`; places that nothing came for are left out. */
export function placedBatch(
  pixels: Float32Array,
  placed: readonly (PlacedImage | undefined)[],
  { side }: { side: number },
): Omit<Batch, "broken" | "wait"> {
  const size = 3 * side * side;
  const kept = placed.flatMap((image, place) => (image ? [{ ...image, place }] : []));
  for (const [to, { place }] of kept.entries())
    if (to !== place) pixels.copyWithin(to * size, place * size, (place + 1) * size);
  const own = kept.map((image) => image.side);
  const mask = own.some((one) => one < side) ? paddingOf(own, side) : undefined;
  return {
    images: kept.length < placed.length ? pixels.subarray(0, kept.length * size) : pixels,
    ...(mask && { mask }),
    shape: [kept.length, side, side, 3],
    targets: kept.map(({ target }) => target),
    imageIds: kept.map(({ sample }) => sample.imageId),
    files: kept.map(({ sample }) => sample.file),
    originalSizes: kept.map(({ width, height }) => [height, width]),
    ...(kept.some(({ sample }) => sample.area) && { areas: kept.map(({ sample }) => sample.area) }),
  };
}

/** Memory of batches that are done with: new memory has to be cleared, and the old be collected. */
export type SpareMemory = { give(images: Float32Array): void; take(values: number): Float32Array | undefined };

/** Keeps at most `most` pieces, the latest. */
export function spareMemory({ most }: { most: number }): SpareMemory {
  const spare: Float32Array[] = [];
  return {
    give: ({ buffer }) => {
      if (buffer.byteLength === 0 || spare.some((memory) => memory.buffer === buffer)) return; // given before
      spare.push(new Float32Array(buffer));
      if (spare.length > most) spare.shift();
    },
    take: (values) => {
      const at = spare.findIndex(({ length }) => length === values);
      return at < 0 ? undefined : spare.splice(at, 1)[0];
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
