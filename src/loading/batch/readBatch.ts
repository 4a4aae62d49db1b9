// One batch: its images prepared, and other images in the place of those that cannot be read.

import type { Sample } from "../../data/dataset/sample.ts";
import { fromThrown } from "../../util/threads/thread.ts";
import { type Batch, type BrokenImage, type PlacedImage, placedBatch } from "./batch.ts";
import type { ImageTask, PreparedBatch } from "./prepare.ts";

export type BatchReading = {
  prepare(images: ImageTask[]): Promise<PreparedBatch>;
  /** The image that is taken for the i-th one after `n - 1` were broken; undefined: none. */
  replacement(i: number, n: number): Sample | undefined;
  /** Whether an image without replacement is left out. */
  leaveOut: boolean;
};

/** Throws the UserError of an image that is neither replaced nor left out. */
export async function readBatch(
  tasks: ImageTask[],
  { prepare, replacement, leaveOut }: BatchReading,
): Promise<Omit<Batch, "wait">> {
  const { pixels, side, images } = await prepare(tasks);
  const broken: BrokenImage[] = [];
  const placed: (PlacedImage | undefined)[] = [];
  for (const [i, task] of tasks.entries()) {
    let [found, sample] = [images[i]!, task.sample];
    for (let n = 1; "failed" in found; n++) {
      const cause = fromThrown(found.failed);
      const isPartner = found.partner !== undefined; // the image itself can be read
      const other = isPartner ? sample : replacement(i, n);
      if ((!other && !leaveOut) || (isPartner && !replacement(i, n))) throw cause;
      broken.push({ imageId: found.partner ?? sample.imageId, message: cause.message });
      if (!other) break;
      sample = other;
      const alone = await prepare([{ ...task, sample, partners: [] }]);
      found = alone.images[0]!;
      for (let y = 0; y < task.side; y++)
        pixels.set(alone.pixels.subarray(3 * y * task.side, 3 * (y + 1) * task.side), 3 * side * (i * side + y));
    }
    placed.push("failed" in found ? undefined : { ...found, sample, side: task.side });
  }
  return { ...placedBatch(pixels, placed, { side }), broken };
}
