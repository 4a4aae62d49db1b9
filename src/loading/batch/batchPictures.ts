// A batch as pictures: what a model sees, with the boxes and masks that it is to find.

import type { ClassEntry } from "../../data/dataset/sample.ts";
import type { Rgb } from "../../data/image/decode.ts";
import { type DrawnObject, drawObjects } from "../../data/image/draw.ts";
import { denormalise } from "../../data/image/resize.ts";
import type { Target } from "../../instance/instance.ts";
import { encodeRuns } from "../../instance/masks/runs.ts";
import type { Batch } from "./batch.ts";

/** `image`: the file's name in the annotations. */
export type BatchPicture = { image: string; objects: number; picture: Rgb };

/** One picture an image, without what is padding. Names are written where there is more than one class. */
export async function batchPictures(
  { images, mask, shape, targets, files }: Pick<Batch, "images" | "mask" | "shape" | "targets" | "files">,
  classes: readonly ClassEntry[],
): Promise<BatchPicture[]> {
  const [, height, width] = shape;
  const names = new Map(classes.length > 1 ? classes.map(({ label, name }) => [label, name]) : []);
  return Promise.all(
    targets.map(async (target, i) => {
      const padding = mask?.subarray(i * height * width, i * height * width + width);
      const side = padding?.includes(1) ? padding.indexOf(1) : width;
      const pixels = new Float32Array(3 * side * side);
      for (let y = 0; y < side; y++) {
        const from = 3 * (i * height + y) * width;
        pixels.set(images.subarray(from, from + 3 * side), 3 * y * side);
      }
      const objects = drawnObjects(target, side, names);
      const picture = await drawObjects(denormalise(pixels, { width: side, height: side }), objects);
      return { image: files[i]!, objects: objects.length, picture };
    }),
  );
}

/** The objects of a target in pixels of its square. */
function drawnObjects({ boxes, labels, masks }: Target, side: number, names: ReadonlyMap<number, string>) {
  return Array.from(labels, (label, n): DrawnObject => {
    const [cx, cy, w, h] = Array.from(boxes.subarray(4 * n, 4 * n + 4), (v) => v * side) as [number, number, number, number]; // biome-ignore format: one line
    const mask =
      masks?.present[n] === 1
        ? encodeRuns(masks.pixels.subarray(n * side * side, (n + 1) * side * side), [side, side])
        : undefined;
    return { box: [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], label, text: names.get(label) ?? "", mask };
  });
}
